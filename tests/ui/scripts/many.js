// Ten thousand events: how long pages and searches take, and how long the page does not listen while events pour in.

const { asked, at, logIn, main } = require("./browser.js");

/** The events of a page and the way to those before them, of one moment: the first page is live and moves on. */
const list = (page) =>
  page.evaluate(() => ({
    rows: [...document.querySelectorAll("a.event")].map((row) => row.dataset.event),
    older: document.querySelector(".pages a[rel=next]")?.getAttribute("href"),
  }));
const rows = async (page) => (await list(page)).rows;

main(async (page) => {
  await logIn(page);
  const measured = {};
  const timed = async (name, work) => {
    const begun = performance.now();
    const answer = await work();
    measured[name] = `${Math.round(performance.now() - begun)} ms`;
    return answer;
  };
  await timed("the inbox", () => page.goto(at("/")));
  let shown = await list(page);
  const seen = [...shown.rows];
  const report = { rows: seen.length };

  // Events go on arriving while one pages back.
  let sent = 0;
  let go = true;
  const pour = (async () => {
    while (go) {
      await fetch(asked.ingress, { method: "POST", body: `{"late":${sent}}` });
      sent += 1;
    }
  })();
  await timed("nineteen pages back", async () => {
    for (let page_ = 1; page_ < 20; page_ += 1) {
      await page.goto(at(shown.older));
      shown = await list(page);
      seen.push(...shown.rows);
    }
  });
  report.paged = seen.length;
  report.distinct = new Set(seen).size;

  // Live, in a burst.
  await page.goto(at("/"));
  await page.locator("#stream[data-state=live]").waitFor();
  const before = (await rows(page))[0];
  const longest = await page.evaluate(async () => {
    let longest = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
    }).observe({ entryTypes: ["longtask"] });
    for (let step = 0; step < 40; step += 1) {
      scrollBy(0, 200);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return longest;
  });
  // The browser tells of those that take fifty milliseconds and more.
  measured["the longest task while events pour in"] = longest ? `${Math.round(longest)} ms` : "under 50 ms";
  report.live = (await rows(page))[0] !== before;
  go = false;
  await pour;
  measured["events that arrived meanwhile"] = sent;

  await timed("a search for the oldest event", () => page.goto(at("/?q=a+needle+in+the+haystack")));
  report.found = (await rows(page)).length;
  await timed("a search that finds nothing", () => page.goto(at("/?q=there+is+no+such+thing")));
  return { ...report, measured };
});
