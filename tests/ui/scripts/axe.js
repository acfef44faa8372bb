// Every page, in both themes, wide and narrow: what axe finds, and how much wider than its window it is.

const fs = require("node:fs");
const { at, logIn, main } = require("./browser.js");

const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const PAGES = [
  "/login", "/", "/?q=nothing+is+like+this", "/view/latest?body=hex", "/deliveries", "/issues", "/sources", "/destinations",
  "/replays?count=1", "/refusals", "/status", "/events/none",
];

main(async (page) => {
  await logIn(page);
  const looks = [];
  for (const path of PAGES) {
    for (const width of [1360, 360]) {
      for (const colorScheme of ["light", "dark"]) {
        await page.setViewportSize({ width, height: 800 });
        await page.emulateMedia({ colorScheme });
        await page.goto(at(path), { waitUntil: "domcontentloaded" });
        if (path === "/" && width > 1000) {
          await page.locator("a.event").first().click();
          await page.locator("#pane article").waitFor();
        }
        await page.evaluate(() => {
          for (const details of document.querySelectorAll("details")) details.open = true;
        });
        await page.evaluate(axe);
        const violations = await page.evaluate(async (tags) => {
          const found = await window.axe.run(document, { runOnly: tags });
          return found.violations.map(({ id, nodes }) => ({ id, nodes: nodes.slice(0, 3).map((node) => `${node.target.join(" ")}: ${node.failureSummary}`) }));
        }, TAGS);
        const overflow = await page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - innerWidth));
        looks.push({ path, width, colorScheme, violations, overflow });
      }
    }
  }
  return { looks };
});
