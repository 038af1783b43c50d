// Looks at pages of `--format html` in Chromium, as a reader would: in both widths, light and dark, on paper. Takes pages
// as arguments; prints what is wrong with them and ends with 1, or 2 when the browser could not be used. With
// `--shots DIR` it also leaves screenshots and a PDF of each page.
//
// It speaks the DevTools protocol over a pipe, so it needs node and chromium and nothing else.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
  "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-pipe",
];
const LIMIT = 60_000;

/** A browser at the other end of a pipe. */
class Browser {
  constructor(program) {
    this.home = mkdtempSync(join(tmpdir(), "tokenvet-html-"));
    const stdio = ["ignore", "ignore", "ignore", "pipe", "pipe"];
    this.process = spawn(program, [...FLAGS, `--user-data-dir=${this.home}`], { stdio });
    this.waiting = new Map();
    this.heard = [];
    this.next = 1;
    let rest = "";
    this.process.stdio[4].on("data", (chunk) => {
      const parts = (rest + chunk.toString()).split("\0");
      rest = parts.pop();
      parts.forEach((part) => this.hear(JSON.parse(part)));
    });
    const end = (error) => this.waiting.forEach(({ fail }) => fail(error ?? new Error("the browser ended")));
    this.process.on("error", end);
    this.process.on("exit", () => end());
    this.process.stdio[3].on("error", end);
  }

  hear(message) {
    const asked = this.waiting.get(message.id);
    if (!asked) return this.heard.push(message);
    this.waiting.delete(message.id);
    clearTimeout(asked.timer);
    if (message.error) asked.fail(new Error(`${asked.method}: ${message.error.message}`));
    else asked.done(message.result);
  }

  send(method, params = {}, sessionId = this.session) {
    const id = this.next++;
    return new Promise((done, fail) => {
      const timer = setTimeout(() => fail(new Error(`${method}: no answer`)), LIMIT);
      this.waiting.set(id, { done, fail, timer, method });
      this.process.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
    });
  }

  async open() {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" }, undefined);
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true }, undefined);
    this.session = sessionId;
    for (const domain of ["Page", "Runtime", "Log", "Network", "Audits"]) await this.send(`${domain}.enable`);
  }

  async show(file, width, scheme) {
    const metrics = { width, height: 900, deviceScaleFactor: 1, mobile: width < 600 };
    await this.send("Emulation.setDeviceMetricsOverride", metrics);
    await this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
    this.heard = [];
    await this.send("Page.navigate", { url: pathToFileURL(file).href });
    for (const start = Date.now(); !this.heard.some((message) => message.method === "Page.loadEventFired"); ) {
      if (Date.now() - start > LIMIT) throw new Error(`${file} does not load`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  async ask(question, ...facts) {
    const expression = `(${question})(...${JSON.stringify(facts)})`;
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Its folder goes when the last of its processes is gone. */
  async close() {
    const gone = new Promise((done) => this.process.on("exit", done));
    if (this.process.exitCode === null && this.process.pid) {
      this.send("Browser.close", {}, undefined).catch(() => {});
      await Promise.race([gone, new Promise((done) => setTimeout(done, 5000))]);
      this.process.kill("SIGKILL");
    }
    for (let attempt = 0; attempt < 20; attempt += 1) {
      try {
        return rmSync(this.home, { recursive: true, force: true });
      } catch {
        await new Promise((done) => setTimeout(done, 100));
      }
    }
  }
}

/** What a page must be, whatever is in it. Runs in the page; the page's own policy does not bind the debugger. */
function inspect(width) {
  const wrong = [];
  const all = [...document.querySelectorAll("*")];
  const ids = all.map((element) => element.id).filter(Boolean);
  if (new Set(ids).size !== ids.length) wrong.push("an id is given twice");
  for (const element of all) {
    const name = element.localName;
    if (["script", "iframe", "object", "embed", "link", "base", "form", "img", "input", "video", "audio"].includes(name))
      wrong.push(`there is an element ${name}`);
    for (const { name: attribute, value } of element.attributes) {
      if (attribute.startsWith("on") || ["style", "src", "srcset", "srcdoc", "xlink:href"].includes(attribute))
        wrong.push(`${name} has the attribute ${attribute}`);
      if (attribute === "href" && !/^(#|https?:\/\/)/.test(value)) wrong.push(`${name} leads to ${value.slice(0, 60)}`);
      if (attribute === "href" && value.startsWith("#") && !document.getElementById(value.slice(1)))
        wrong.push(`nothing is at ${value}`);
    }
  }
  const policy = document.querySelector("meta[http-equiv=Content-Security-Policy]")?.content ?? "";
  if (!policy.startsWith("default-src 'none'; style-src 'sha256-")) wrong.push("the content security policy is missing");
  if (getComputedStyle(document.querySelector("nav ul")).display !== "flex") wrong.push("the style sheet does not apply");
  // Headings in order, landmarks, a name for everything that takes the focus.
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const next = Number(heading.localName[1]);
    if (next > level + 1) wrong.push(`${heading.localName} follows h${level}: ${heading.textContent.slice(0, 40)}`);
    level = next;
  }
  for (const landmark of ["header", "nav", "main", "footer"])
    if (document.querySelectorAll(`body > ${landmark}`).length !== 1) wrong.push(`there is no single ${landmark}`);
  if (document.querySelectorAll("h1").length !== 1 || !document.documentElement.lang) wrong.push("no h1 or no language");
  for (const element of document.querySelectorAll("[tabindex='0'], [role=region]"))
    if (!element.getAttribute("aria-label")) wrong.push(`a ${element.localName} that takes the focus has no name`);
  const first = document.querySelector("a[href]");
  if (first?.getAttribute("href") !== "#main") wrong.push("the first link does not skip to the report");
  // Nothing sticks out, but for what scrolls by itself.
  const wide = document.documentElement.scrollWidth;
  if (wide > width) {
    const out = all.find((element) => {
      const box = element.getBoundingClientRect();
      return box.right > width + 1 && !element.closest("pre, .scroll") && !element.closest(".skip");
    });
    wrong.push(`it is ${wide} px wide: ${out?.outerHTML.slice(0, 120)}`);
  }
  // Contrast of every text with what is behind it: 4.5, or 3 where it is large (WCAG 2.2, 1.4.3).
  const channels = (color) => (color.match(/[\d.]+/g) ?? []).map(Number);
  const light = (color) => {
    const [r, g, b] = channels(color).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (channels(color)[3] !== 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const pale = new Set();
  for (const element of all) {
    const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest(".skip, title, style")) continue;
    const style = getComputedStyle(element);
    const ink = element.closest("svg") ? style.fill : style.color;
    const [one, other] = [light(ink), light(behind(element))].sort((a, b) => b - a);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if ((one + 0.05) / (other + 0.05) < (large ? 3 : 4.5)) pale.add(`${element.localName}.${element.classList} is too pale`);
  }
  return [...new Set([...wrong, ...pale])];
}

/** Goes through the page with the keyboard; says what takes the focus without showing it. */
async function walk(browser) {
  const wrong = [];
  const key = { key: "Tab", code: "Tab", windowsVirtualKeyCode: 9 };
  for (let step = 0; step < 40; step += 1) {
    await browser.send("Input.dispatchKeyEvent", { type: "keyDown", ...key });
    await browser.send("Input.dispatchKeyEvent", { type: "keyUp", ...key });
    const here = await browser.ask(`() => {
      const at = document.activeElement;
      if (!at || at === document.body) return null;
      const style = getComputedStyle(at), box = at.getBoundingClientRect();
      return { name: at.localName + "." + at.className, shown: style.outlineStyle !== "none" && box.left >= 0 && box.width > 0 };
    }`);
    if (!here && step === 0) wrong.push("the keyboard reaches nothing");
    if (!here) break;
    if (!here.shown) wrong.push(`${here.name} has the focus and does not show it`);
  }
  return wrong;
}

/** What the browser complained about, and what it loaded besides the page. */
function complaints(heard, file) {
  const wrong = [];
  const own = pathToFileURL(file).href;
  for (const { method, params } of heard) {
    if (method === "Log.entryAdded") wrong.push(`the browser says: ${params.entry.text}`);
    if (method === "Runtime.consoleAPICalled") wrong.push("something writes to the console");
    if (method === "Runtime.exceptionThrown") wrong.push("something throws");
    if (method === "Page.javascriptDialogOpening") wrong.push("a dialog opens");
    if (method === "Audits.issueAdded" && params.issue.code === "ContentSecurityPolicyIssue") wrong.push("the policy is violated");
    if (method === "Network.requestWillBeSent" && params.request.url.split("#")[0] !== own)
      wrong.push(`it asks for ${params.request.url.slice(0, 100)}`);
  }
  return wrong;
}

async function look(browser, file, shots) {
  const wrong = [];
  for (const width of [360, 1280]) {
    for (const scheme of ["light", "dark"]) {
      await browser.show(file, width, scheme);
      const say = (list) => list.forEach((what) => wrong.push(`${basename(file)} (${width} px, ${scheme}): ${what}`));
      say(await browser.ask(inspect, width));
      if (shots) await shoot(browser, join(shots, `${basename(file, ".html")}-${width}-${scheme}`), width);
      if (width === 1280 && scheme === "light") say(await walk(browser));
      say(complaints(browser.heard, file));
    }
  }
  const { data } = await browser.send("Page.printToPDF", { printBackground: true, preferCSSPageSize: true });
  const pdf = Buffer.from(data, "base64");
  if (pdf.subarray(0, 5).toString() !== "%PDF-" || pdf.length < 10_000) wrong.push(`${basename(file)}: prints to nothing`);
  if (shots) writeFileSync(join(shots, `${basename(file, ".html")}.pdf`), pdf);
  // What is folded is there on paper.
  await browser.send("Emulation.setEmulatedMedia", { media: "print" });
  const folded = await browser.ask(`() => [...document.querySelectorAll("details:not([open]) > :not(summary)")]
    .filter((inside) => inside.getBoundingClientRect().height === 0).length`);
  if (folded > 0) wrong.push(`${basename(file)}: ${folded} folded parts do not print`);
  await browser.send("Emulation.setEmulatedMedia", { media: "" });
  return wrong;
}

async function shoot(browser, name, width) {
  const height = Math.min(16_000, await browser.ask("() => document.documentElement.scrollHeight"));
  const clip = { x: 0, y: 0, width, height, scale: 1 };
  const { data } = await browser.send("Page.captureScreenshot", { clip, captureBeyondViewport: true, optimizeForSpeed: false });
  writeFileSync(`${name}.png`, Buffer.from(data, "base64"));
}

const words = process.argv.slice(2);
const at = words.indexOf("--shots");
const shots = at >= 0 ? resolve(words.splice(at, 2)[1]) : null;
const browser = new Browser(process.env.CHROMIUM ?? "chromium");
let code = 0;
try {
  await browser.open();
  for (const file of words) {
    const wrong = await look(browser, resolve(file), shots);
    wrong.forEach((what) => console.log(what));
    if (wrong.length > 0) code = 1;
  }
} catch (error) {
  console.log(`the browser could not be used: ${error.message}`);
  code = 2;
} finally {
  await browser.close();
}
process.exit(code);
