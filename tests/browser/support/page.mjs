// The SaaS team's product: one page, on an origin of its own, that loads the official browser client unmodified.
import { readFile } from 'node:fs/promises';
import { listen } from './net.mjs';

const CLIENT_FILE = new URL('../node_modules/@cobaltio/cobalt-js/cobalt.js', import.meta.url);

// The client is CommonJS: it wants `exports` to be there. What the buttons started is kept in `lab.last`, because
// `connect` must begin in a click (a popup opened without one is blocked) and ends only after the popup was used.
const HTML = `<!doctype html>
<meta charset="utf-8">
<title>Acme, the product of a SaaS team</title>
<link rel="icon" href="data:,">
<label>Application <input id="slug"></label>
<label>Payload <input id="payload"></label>
<button id="connect">Connect</button>
<button id="disconnect">Disconnect</button>
<output id="result"></output>
<script>var exports = {};</script>
<script src="/cobalt.js"></script>
<script>
  const { baseUrl, token } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
  const cobalt = new exports.Cobalt({ baseUrl, token });
  const field = (id) => document.getElementById(id).value;
  window.lab = { cobalt, last: null };
  function start(action) {
    lab.last = action().then((value) => ({ value: value ?? null }), (error) => ({ error: String(error.message ?? error) }));
    lab.last.then((outcome) => { document.getElementById('result').textContent = JSON.stringify(outcome); });
  }
  document.getElementById('connect').onclick = () => start(() =>
    cobalt.connect(field('slug'), field('payload') ? JSON.parse(field('payload')) : undefined));
  document.getElementById('disconnect').onclick = () => start(() => cobalt.disconnect(field('slug')));
</script>
`;

/** Starts the page's server. */
export async function startProduct() {
  const script = await readFile(CLIENT_FILE);
  const { origin, close } = await listen((request, response) => {
    if (request.url === '/cobalt.js') response.writeHead(200, { 'content-type': 'text/javascript' }).end(script);
    else response.writeHead(200, { 'content-type': 'text/html' }).end(HTML);
  });
  return { origin, close };
}

/** @typedef {{ value?: unknown, error?: string }} Outcome what a call of the client ended in */

/** The open page, seen as a customer of the SaaS team and as its scripts see it. */
export class ProductPage {
  /** @param {import('playwright-core').Page} page */
  constructor(page) {
    this.page = page;
    /** @type {Preflight[]} */
    this.preflights = [];
  }

  /**
   * @param {import('playwright-core').BrowserContext} context
   * @param {{ origin: string, baseUrl: string, token: string }} where
   */
  static async open(context, { origin, baseUrl, token }) {
    const product = new ProductPage(await context.newPage());
    await product.#watchPreflights(context);
    await product.page.goto(`${origin}/#${encodeURIComponent(JSON.stringify({ baseUrl, token }))}`);
    return product;
  }

  /** The browser's own preflights, as the network layer saw them; they never show as requests of the page. */
  async #watchPreflights(/** @type {import('playwright-core').BrowserContext} */ context) {
    const devtools = await context.newCDPSession(this.page);
    /** @type {Map<string, string>} */
    const asked = new Map();
    devtools.on('Network.requestWillBeSent', ({ requestId, request }) => {
      if (request.method === 'OPTIONS') asked.set(requestId, new URL(request.url).pathname);
    });
    devtools.on('Network.responseReceived', ({ requestId, response }) => {
      const path = asked.get(requestId);
      if (path !== undefined) this.preflights.push({ path, status: response.status });
    });
    await devtools.send('Network.enable');
  }

  /**
   * Presses Connect and returns the popup and what `connect` will end in.
   * @param {string} slug
   * @returns {Promise<{ popup: import('playwright-core').Page, outcome: Promise<Outcome> }>}
   */
  async connectByPopup(slug) {
    const opening = this.page.waitForEvent('popup');
    const outcome = this.#press('connect', slug);
    return { popup: await opening, outcome };
  }

  /** @param {string} slug @param {Record<string, string | number>} payload @returns {Promise<Outcome>} */
  connectByKey(slug, payload) {
    return this.#press('connect', slug, JSON.stringify(payload));
  }

  /** @param {string} slug @returns {Promise<Outcome>} */
  disconnect(slug) {
    return this.#press('disconnect', slug);
  }

  /** @param {string} button @param {string} slug @param {string} [payload] */
  async #press(button, slug, payload = '') {
    await this.page.fill('#slug', slug);
    await this.page.fill('#payload', payload);
    await this.page.click(`#${button}`);
    return this.page.evaluate('lab.last');
  }

  /** @param {string} [slug] @returns {Promise<any>} */
  getApp(slug) {
    return this.page.evaluate(`lab.cobalt.getApp(${JSON.stringify(slug)})`);
  }

  /**
   * A call from the page's own script, to see whether a browser lets it read the answer.
   * @param {string} url
   * @param {Record<string, string>} headers
   * @returns {Promise<{ status: number, body: any }>}
   */
  fetchJson(url, headers) {
    return this.page.evaluate(async ([target, sent]) => {
      const answer = await fetch(/** @type {string} */ (target), { headers: /** @type {Record<string, string>} */ (sent) });
      return { status: answer.status, body: await answer.json() };
    }, [url, headers]);
  }
}

/** @typedef {{ path: string, status: number }} Preflight */
