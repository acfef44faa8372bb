// Opens what arrived, in every form, and every list; compares what is shown with what was sent.

const { asked, at, logIn, main } = require("./browser.js");

/** Tabs that look at the same time. */
const TABS = 3;

main(async (first, context) => {
  await logIn(first);
  const seen = { events: 0, pages: 0, missing: [], hits: [] };

  const look = async (page, path) => {
    await page.goto(at(path), { waitUntil: "domcontentloaded" });
    seen.pages += 1;
    // Markup that got in would be in the document by now, whether it runs or not.
    const found = await page.evaluate(() => {
      const odd = document.querySelectorAll("script:not([src='/ui/app.js']), style, iframe, base, object, embed, [style], [srcdoc], meta[http-equiv], main img, main animate");
      const handlers = [...document.querySelectorAll("*")].filter((element) => element.getAttributeNames().some((name) => name.startsWith("on")));
      const names = ["href", "action", "formaction", "src"];
      const links = [...document.querySelectorAll("[href], [action], [formaction], [src]")].filter((element) =>
        names.some((name) => element.hasAttribute(name) && !/^(\/(?!\/)|#)/.test(element.getAttribute(name))),
      );
      return [...odd, ...handlers, ...links].map((element) => element.outerHTML.slice(0, 200));
    });
    if (found.length) seen.hits.push({ path, found });
  };
  const every = async (page, list, each = async () => {}) => {
    for (let path = list; path; ) {
      await look(page, path);
      await each();
      const older = page.locator(".pages a[rel=next]");
      path = (await older.count()) ? await older.getAttribute("href") : null;
    }
  };
  const has = (what, shown) => {
    if (!shown.some((text) => text.includes(what))) seen.missing.push({ what, shown: shown.join("\n").slice(0, 300) });
  };

  const ids = [];
  await every(first, "/", async () => {
    ids.push(...(await first.locator("a.event").evaluateAll((rows) => rows.map((row) => row.dataset.event))));
  });
  seen.events = ids.length;

  // The newest first: for each text, the form, and then the signed one before it.
  const jobs = [...asked.texts].reverse().map((text, place) => async (page) => {
    const [form, json] = [ids[2 * place], ids[2 * place + 1]];
    await look(page, `/events/${form}`);
    has(text, await page.locator("#body th, #body td").allTextContents());
    await look(page, `/?event=${json}&q=${encodeURIComponent(text)}`);
    has(JSON.stringify(text), await page.locator("#body pre").allTextContents());
    has(text.trim(), [await page.locator("#q").inputValue()]);
    has(JSON.stringify(text), [await page.locator("#edit-body").inputValue()]);
    // Edited with the text for a body, and in a header.
    has(text, await page.locator("#edits pre").allTextContents());
    if (place % 8 === 0) {
      await look(page, `/events/${form}?body=raw`);
      await look(page, `/events/${json}?body=hex&diff=1`);
    }
  });
  jobs.push(
    ...["/deliveries", "/issues", "/refusals", "/sources", "/destinations", "/status", "/replays?count=1"].map((list) => (page) => every(page, list)),
  );
  const work = async (page) => {
    for (let job = jobs.shift(); job; job = jobs.shift()) await job(page);
  };
  const others = await Promise.all(Array.from({ length: TABS - 1 }, () => context.newPage()));
  await Promise.all([first, ...others].map(work));
  return seen;
});
