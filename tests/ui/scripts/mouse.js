// By mouse: an event arrives while one looks, is opened, replayed, and its second attempt is seen.

const { asked, at, main, trigger } = require("./browser.js");

main(async (page) => {
  const report = {};
  await page.goto(at("/"));
  report.welcome = await page.locator(".empty h2").first().textContent();
  await page.locator("#stream[data-state=live]").waitFor();

  await trigger("x", "post.create");
  const row = page.locator("a.event").first();
  await row.waitFor();
  report.arrived = await row.locator(".kind").textContent();

  await row.click();
  await page.locator("#pane article").waitFor();
  report.opened = await page.locator("#pane h2").textContent();
  report.proved = await page.locator(".checks strong", { hasText: "Signature" }).textContent();

  await page.locator("#body a", { hasText: "Hex" }).click();
  await page.locator("#body pre.hex").waitFor();
  report.hex = (await page.locator("#body pre.hex").textContent()).startsWith("000000");
  await page.locator("#body a", { hasText: "Pretty" }).click();
  await page.locator("#body pre .key").first().waitFor();

  await page.getByText("The same request from a shell").click();
  await page.locator("#copy-curl").click();
  await page.locator("#copy-curl", { hasText: "Copied" }).waitFor();
  report.copied = await page.evaluate(() => navigator.clipboard.readText());

  await page.locator("#replay button").click();
  report.said = (await page.locator(".notice").textContent()).trim();
  // The second attempt is there without asking for it.
  await page.locator("#deliveries h4 + .scroll tbody tr").nth(1).waitFor();
  report.attempts = await page.locator("#deliveries h4 + .scroll tbody .verdict").allTextContents();

  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  report.theme = [await theme()];
  await page.getByRole("button", { name: /^Theme/ }).click();
  await page.waitForFunction(() => document.documentElement.dataset.theme === "dark");
  await page.reload();
  report.theme.push(await theme());
  return report;
});
