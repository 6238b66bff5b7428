// The hosted pages, as a customer's clicks.
import { get } from 'node:http';
import { accessible } from './axe.mjs';
import { OAUTH_APP } from './lab.mjs';
import { listen } from './net.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('./lab.mjs').Lab} Lab */

/** A customer with a browser of their own and the hosted pages open in it. */
export class Visitor {
  /** @param {string} account @param {Page} page @param {string} url */
  constructor(account, page, url) {
    this.account = account;
    this.page = page;
    this.url = url;
  }

  /**
   * Links an account and opens its hosted pages.
   * @param {Lab} lab
   * @param {import('playwright-core').Browser} browser
   * @param {string} account
   * @param {{ context?: import('playwright-core').BrowserContextOptions, properties?: object, open?: boolean }} [options]
   */
  static async arrive(lab, browser, account, { context: wishes, properties = {}, open = true } = {}) {
    await lab.evergrant.createAccount(account);
    const url = await hostedUrl(lab, account, properties);
    const context = await browser.newContext({ locale: 'en-GB', ...wishes });
    context.setDefaultTimeout(20_000);
    const page = await context.newPage();
    const visitor = new Visitor(account, page, url);
    if (open) await page.goto(url);
    return visitor;
  }

  /** Opens an application's page from the list. @param {string} name */
  async choose(name) { await this.page.getByRole('link', { name, exact: true }).click(); }

  /** @param {string} name */
  press(name) { return this.page.getByRole('button', { name }).click(); }

  /** Waits for a text. @param {string | RegExp} text */
  says(text) { return this.page.getByText(text).first().waitFor(); }

  /** The chip of an application's card or page. @param {string} text */
  chip(text) { return this.page.locator('.chip', { hasText: text }).first().waitFor(); }

  /** Fails when axe-core finds anything. @param {string} what */
  accessible(what) { return accessible(this.page, what); }
}

/**
 * Presses Connect, and comes back from the provider with an error.
 * @param {Lab} lab
 * @param {Visitor} who
 * @param {string} error
 */
export async function comeBackWith(lab, { page }, error) {
  const [asked] = await Promise.all([
    page.waitForRequest((request) => request.url().startsWith(`${lab.oidc.origin}/auth?`)),
    page.getByRole('button', { name: 'Connect' }).click(),
  ]);
  await page.waitForURL((url) => url.origin === lab.oidc.origin);
  const state = new URL(asked.url()).searchParams.get('state') ?? '';
  await page.goto(`${lab.evergrant.callback(OAUTH_APP)}?${new URLSearchParams({ error, state, iss: lab.oidc.origin })}`);
}

/** The frame that an embedder shows. @param {Page} page @returns {import('playwright-core').Frame} */
export function frameOf(page) {
  const [frame] = page.mainFrame().childFrames();
  if (!frame) throw new Error('there is no frame');
  return frame;
}

/** @param {Lab} lab @param {string} account @param {object} [properties] @returns {Promise<string>} */
export async function hostedUrl(lab, account, properties = {}) {
  const made = await lab.evergrant.api('POST', '/api/v2/public/connect-url', { account, body: properties });
  const token = new URL(made.hosted_url).pathname.split('/').pop() ?? '';
  lab.evergrant.secrets.add(token);
  return made.hosted_url;
}

/** A product that shows the hosted pages in a frame, and keeps what they tell it. */
export async function startEmbedder() {
  const { origin, close } = await listen((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html><title>Acme</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<h1>Acme</h1>
<iframe id="frame" title="Integrations" width="900" height="700" style="max-width: 100%; box-sizing: border-box"></iframe>
<script>
  window.told = [];
  addEventListener('message', ({ origin, data }) => window.told.push({ origin, data }));
  document.getElementById('frame').src = decodeURIComponent(location.hash.slice(1));
</script>`);
  });
  // Another site than 127.0.0.1, as browsers see it.
  return { origin, otherSite: origin.replace('127.0.0.1', 'localhost'), close };
}

/**
 * Where a browser is led that opens a hosted URL in a frame.
 * @param {string} url
 * @returns {Promise<string>}
 */
export function framedAddress(url) {
  return new Promise((resolve, reject) => {
    get(url, { headers: { 'sec-fetch-dest': 'iframe' } }, (answer) => {
      answer.resume();
      resolve(new URL(answer.headers.location ?? '', url).href);
    }).once('error', reject);
  });
}
