// Without JavaScript, behind a login.

const { asked, at, main } = require("./browser.js");

const said = async (page) => (await page.locator(".notice").first().textContent()).trim();

main(
  async (page, context) => {
    const report = {};
    await page.goto(at("/"));
    report.closed = new URL(page.url()).pathname;
    await page.getByLabel("Token").fill("no token of this server");
    await page.getByRole("button", { name: "Log in" }).click();
    report.wrong = await said(page);
    await page.getByLabel("Token").fill(asked.token);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.waitForURL(at("/"));

    for (const body of ["good", "bad"]) await fetch(asked.ingress, { method: "POST", body });
    await page.goto(at("/"));
    report.listed = await page.locator("a.event .kind").allTextContents();
    await page.locator("a.event").first().click();
    await page.locator("#body a", { hasText: "Raw" }).click();
    report.raw = await page.locator("#body pre").textContent();
    await page.locator("#replay button").click();
    report.replayed = await said(page);

    // The text area holds the body to the byte, and what comes back is sent in its place.
    await page.goto(at("/"));
    await page.locator("a.event").nth(1).click();
    await page.locator("details.edit summary").click();
    report.editable = await page.locator("#edit-body").inputValue();
    await page.getByRole("button", { name: "Replay as edited" }).click();
    report.unedited = (await page.locator("main p").nth(1).textContent()).trim();
    await page.goBack();
    // A browser may open the page with its details closed again.
    if (!(await page.locator("#edit-body").isVisible())) await page.locator("details.edit summary").click();
    await page.locator("#edit-body").fill("edited\nhere");
    await page.locator("#edit-headers").fill("X-Note: changed");
    await page.getByRole("button", { name: "Replay as edited" }).click();
    report.edited = await said(page);
    report.marked = await page.locator("#deliveries .verdict", { hasText: "edited" }).count();
    await page.locator("#edits summary").click();
    report.sent = await page.locator("#edits pre").textContent();
    report.stored = await page.locator("#body pre").textContent();

    // The issue is there once the destination has refused.
    for (let look = 0; look < 200 && !report.issue; look += 1) {
      await page.goto(at("/issues"));
      if (await page.locator(".issue").count()) report.issue = (await page.locator(".issue h2").textContent()).trim();
    }
    await page.getByRole("button", { name: /^Retry all/ }).click();
    report.retried = await said(page);

    await page.getByRole("link", { name: "Replays" }).click();
    await page.locator("select[name=source]").selectOption("inbox");
    await page.getByRole("button", { name: "Count" }).click();
    report.counted = await page.locator("form.notice strong").textContent();
    await page.getByRole("button", { name: "Replay them" }).click();
    report.ordered = await said(page);

    await page.getByRole("link", { name: "Destinations" }).click();
    await page.getByRole("button", { name: "Pause app" }).click();
    report.paused = await said(page);
    await page.getByRole("button", { name: "Resume app" }).click();
    report.resumed = await said(page);

    await page.getByRole("button", { name: "Log out" }).click();
    await page.goto(at("/deliveries"));
    report.left = new URL(page.url()).pathname;
    return report;
  },
  { javaScriptEnabled: false },
);
