// A browser that watches what must never happen, and a report of what a script saw.

const fs = require("node:fs");
const { execFile } = require("node:child_process");
const { delimiter, join } = require("node:path");
const { promisify } = require("node:util");
const { chromium } = require("playwright-core");

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Where Chromium is. */
function chromiumOf(path) {
  const found = path.split(delimiter).map((folder) => join(folder, "chromium")).find((file) => fs.existsSync(file));
  if (!found) throw new Error("there is no chromium: run `cargo xtask test`, which installs it");
  return found;
}

const asked = JSON.parse(fs.readFileSync(0, "utf8"));

/** Whether trouble is of the browser's making: it asks for nothing that the page asked for. */
const IGNORED = /^Failed to load resource: the server responded with a status of (400|401|404)/;

/** Runs `work` with a page, and writes what it answers as the report. */
async function main(work, options = {}) {
  const trouble = [];
  const context = await chromium.launchPersistentContext(asked.profile, {
    executablePath: chromiumOf(process.env.PATH),
    headless: true,
    args: FLAGS,
    viewport: { width: 1360, height: 900 },
    permissions: ["clipboard-read", "clipboard-write"],
    ...options,
  });
  context.setDefaultTimeout(60000);
  const note = (what) => trouble.push(what);
  await context.exposeBinding("hit", ({ page }, where) => note(`a script ran on ${page.url()}: ${where ?? ""}`));
  await context.exposeBinding("violated", ({ page }, what) => note(`${page.url()}: ${what}`));
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => window.violated(`CSP ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
  });
  const watch = (page) => {
    page.on("dialog", (dialog) => {
      note(`a dialog: ${dialog.message()}`);
      dialog.dismiss().catch(() => {});
    });
    page.on("pageerror", (error) => note(`an error: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error" && !IGNORED.test(message.text())) note(`console: ${message.text()}`);
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(`${asked.base}/`) && !request.url().startsWith("data:")) note(`a request elsewhere: ${request.url()}`);
    });
  };
  context.on("page", watch);
  const page = await context.newPage();
  try {
    const report = await work(page, context);
    console.log(JSON.stringify({ ...report, trouble }));
  } catch (error) {
    console.error(error, trouble, page.url());
    process.exitCode = 1;
  } finally {
    await context.close();
  }
}

/** The address of a page. */
const at = (path) => new URL(path, asked.base).href;

/** Logs in with the token that the test gave. */
async function logIn(page) {
  await page.goto(at("/login"));
  await page.getByLabel("Token").fill(asked.token);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL(at("/"));
}

/** Has the binary send an event as its provider would. */
const trigger = (...words) =>
  promisify(execFile)(asked.command.program, ["trigger", ...words], { cwd: asked.command.folder, env: { PATH: process.env.PATH } });

module.exports = { asked, at, logIn, main, trigger };
