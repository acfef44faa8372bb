// Many tabs: a browser has six connections to a server, and each page is live all the same.

const { at, main, trigger } = require("./browser.js");

const TABS = 9;

main(async (page, context) => {
  const tabs = [page, ...(await Promise.all(Array.from({ length: TABS - 1 }, () => context.newPage())))];
  for (const tab of tabs) {
    await tab.goto(at("/"));
    await tab.locator("#stream[data-state=live]").waitFor();
  }
  await trigger("x", "post.create");
  for (const tab of tabs) await tab.locator("a.event").first().waitFor();
  // Whoever listened for all goes; somebody else takes over.
  await tabs.shift().close();
  await tabs[0].locator("#stream[data-state=live]").waitFor();
  await trigger("x", "post.create");
  const counts = [];
  for (const tab of tabs) {
    await tab.locator("a.event").nth(1).waitFor();
    counts.push(await tab.locator("a.event").count());
  }
  return { counts };
});
