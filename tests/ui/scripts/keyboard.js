// The same without a mouse.

const { at, main, trigger } = require("./browser.js");

main(async (page) => {
  const report = {};
  await page.goto(at("/"));
  await page.locator("#stream[data-state=live]").waitFor();
  await trigger("x", "post.create");
  await page.locator("a.event").first().waitFor();
  await trigger("twilio", "message.received");
  await page.locator("a.event").nth(1).waitFor();

  const focused = (what) => page.evaluate((what) => document.activeElement.querySelector(what)?.textContent ?? document.activeElement.textContent, what);
  await page.keyboard.press("j");
  report.first = await focused(".kind");
  await page.keyboard.press("j");
  report.second = await focused(".kind");
  await page.keyboard.press("Enter");
  await page.locator("#pane h2", { hasText: "post.create" }).waitFor();
  report.opened = await page.locator("#pane h2").textContent();

  await page.keyboard.press("r");
  report.focused = await focused("nothing");
  await page.keyboard.press("Enter");
  await page.locator(".notice").waitFor();
  await page.locator("#deliveries h4 + .scroll tbody tr").nth(1).waitFor();
  report.attempts = await page.locator("#deliveries h4 + .scroll tbody .verdict").allTextContents();

  await page.keyboard.press("?");
  report.help = await page.locator("#help").evaluate((help) => help.open);
  await page.keyboard.press("Escape");
  // A dialog closes in its own time, and takes every key until then.
  await page.locator("#help:not([open])").waitFor({ state: "attached" });

  // Until the browser draws its next frame, the focus is still in the dialog that has closed: a key that is pressed in
  // between counts all the same.
  report.closing = await page.evaluate(() => {
    const help = document.querySelector("#help");
    help.showModal();
    help.close();
    const held = document.activeElement.id;
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "/", bubbles: true, cancelable: true }));
    return [held, document.activeElement.id];
  });
  await page.evaluate(() => document.activeElement.blur());

  await page.keyboard.press("/");
  await page.locator("#q:focus").waitFor();
  await page.keyboard.type("source:twilio");
  await page.keyboard.press("Enter");
  await page.waitForURL(/q=source/);
  report.searched = await page.locator("a.event .kind").allTextContents();

  await page.keyboard.press("g");
  await page.keyboard.press("d");
  await page.waitForURL(at("/deliveries"));
  report.went = new URL(page.url()).pathname;

  await page.keyboard.press("?");
  await page.getByLabel("Single keys do something").uncheck();
  await page.keyboard.press("Escape");
  await page.locator("#help:not([open])").waitFor({ state: "attached" });
  await page.keyboard.press("g");
  await page.keyboard.press("l");
  report.off = new URL(page.url()).pathname === "/deliveries";
  return report;
});
