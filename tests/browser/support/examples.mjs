// The examples, served as a team's own back end would serve them: examples/serve.mjs hands out the session tokens.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { serve } from '../../../examples/serve.mjs';
import { bodyOf, listen } from './net.mjs';

const EXAMPLES = fileURLToPath(new URL('../../../examples/', import.meta.url));
const REACT_18 = fileURLToPath(new URL('../../react18/node_modules/', import.meta.url));

/** @typedef {import('./lab.mjs').Lab} Lab */
/** @typedef {import('playwright-core').Page} Page */

/** The folder of the example without a framework. */
export const PLAIN = join(EXAMPLES, 'plain');

/** A page whose session token changes under the components. */
export const RENEWED = fileURLToPath(new URL('../pages/renewed', import.meta.url));

/**
 * Builds examples/react by Vite, or another page like it, as it stands, or with another React in its place. React 19 is built
 * for development: there StrictMode mounts everything twice, and what is wrong is written to the console.
 * @param {18 | 19} react
 * @param {string} [root]
 */
export async function buildReact(react, root = join(EXAMPLES, 'react')) {
  const folder = await mkdtemp(join(tmpdir(), `evergrant-react-${react}-`));
  const vite = fileURLToPath(new URL('../../../node_modules/vite/bin/vite.js', import.meta.url));
  await promisify(execFile)(process.execPath, [vite, 'build', root, '--config', join(EXAMPLES, 'react/vite.config.js'), '--outDir', folder, '--emptyOutDir', '--logLevel', 'warn'], {
    cwd: join(EXAMPLES, 'react'),
    env: { ...process.env, ...(react === 18 ? { REACT_FROM: REACT_18 } : { NODE_ENV: 'development' }) },
  });
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/**
 * A customer with a browser of their own, and an example open in it.
 * @param {Lab} lab
 * @param {import('playwright-core').BrowserContext} context
 * @param {{ account: string, folder?: string, path?: string, baseUrl?: string, register?: boolean }} options
 */
export async function openExample(lab, context, { account, folder = PLAIN, path = '/', baseUrl, register = true }) {
  const { evergrant } = lab;
  await evergrant.createAccount(account);
  await evergrant.sessionToken(account); // so that the log is searched for it
  const server = await serve({ folder, account, baseUrl: evergrant.origin, key: evergrant.key });
  if (register) await evergrant.api('PUT', '/api/v2/public/environment/origins', { body: { return_origins: [server.origin] } });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  page.on('close', () => void server.close());
  await page.goto(server.origin + path);
  return { page, account, origin: server.origin, baseUrl: baseUrl ?? evergrant.origin };
}

/** @typedef {{ value?: unknown, error?: string }} Outcome what connect ended in: a code, where it rejected */

/** A client of our SDK in a page, with a button that starts it. */
export class SdkPage {
  /** @param {Page} page */
  constructor(page) { this.page = page; }

  /**
   * @param {Page} page
   * @param {{ module: string, baseUrl: string, token: string, pollMs?: number, timeoutMs?: number, renewed?: string }} options
   */
  static async on(page, { module, renewed, ...options }) {
    await page.evaluate(async ([address, given, next]) => {
      const { Evergrant } = await import(/** @type {string} */ (address));
      const evergrant = new Evergrant({ .../** @type {any} */ (given), ...(next && { getToken: () => next }) });
      const stop = new AbortController();
      const lab = { evergrant, stop, slug: '', ended: /** @type {Promise<unknown>[]} */ ([]) };
      Object.assign(window, { lab });
      const button = Object.assign(document.createElement('button'), { id: 'lab', textContent: 'Lab' });
      button.onclick = () => {
        const end = evergrant.connect({ slug: lab.slug, signal: stop.signal });
        lab.ended.push(end.then((/** @type {unknown} */ value) => ({ value }), (/** @type {any} */ error) => ({ error: error.code ?? String(error) })));
      };
      document.body.prepend(button);
    }, /** @type {const} */ ([module, options, renewed]));
    return new SdkPage(page);
  }

  /** Presses the button and returns the window. @param {string} slug */
  async connect(slug) {
    await this.page.evaluate(`lab.slug = ${JSON.stringify(slug)}`);
    const [popup] = await Promise.all([this.page.waitForEvent('popup'), this.page.click('#lab')]);
    return popup;
  }

  /** What a press ended in. @param {number} [press] @returns {Promise<Outcome>} */
  outcome(press = 0) { return this.page.evaluate(`lab.ended[${press}]`); }

  /** @param {string} slug @returns {Promise<any>} */
  getApp(slug) { return this.page.evaluate(`lab.evergrant.getApp(${JSON.stringify(slug)})`); }
}

/** What the original product documents for browsers (contract, sections 4 to 11 and 14), as method and path. */
const DOCUMENTED = [
  /^GET \/api\/v2\/f-sdk\/application(\/[^/]+)?$/,
  /^GET \/api\/v1\/[^/]+\/integrate$/,
  /^POST \/api\/v2\/app\/[^/]+\/save$/,
  /^DELETE \/api\/v1\/linked-acc\/integration\/[^/]+(\?auth_type=[a-z0-9]+)?$/,
  /^POST \/api\/v2\/f-sdk\/config$/,
  /^GET \/api\/v3\/org\/basics$/,
];

/**
 * Evergrant's API with nothing of its own in the answers, as the documented product gives them: without a flow, no message
 * from the callback page is heeded. Polls can be made to fail.
 * @param {string} upstream
 */
export async function startOriginal(upstream) {
  const state = { failures: 0, cut: false, polls: 0, failed: 0, seen: new Set(), undocumented: new Set() };
  const { origin, close } = await listen(async (request, response) => {
    const route = `${request.method} ${request.url}`;
    if (request.method !== 'OPTIONS') state.seen.add(route);
    if (request.method !== 'OPTIONS' && !DOCUMENTED.some((one) => one.test(route))) state.undocumented.add(route);
    const poll = request.method === 'GET' && request.url?.startsWith('/api/v2/f-sdk/application/');
    if (poll) state.polls += 1;
    if (poll && state.polls > 1 && state.failures > 0) { // the first is the look before the window opens
      state.failures -= 1;
      state.failed += 1;
      if (state.cut) request.socket.destroy();
      else response.writeHead(503, { 'access-control-allow-origin': '*' }).end();
      return;
    }
    const { host, connection, ...headers } = request.headers;
    const body = request.method === 'GET' || request.method === 'OPTIONS' ? undefined : await bodyOf(request);
    const answer = await fetch(upstream + request.url, { method: request.method ?? 'GET', headers: /** @type {any} */ (headers), ...(body?.length && { body }) });
    const text = await answer.text();
    const begins = request.method === 'GET' && request.url?.includes('/integrate') && answer.ok;
    const sent = begins ? JSON.stringify({ auth_url: JSON.parse(text).auth_url }) : text;
    const passed = [...answer.headers].filter(([name]) => name.startsWith('access-control') || name === 'content-type');
    response.writeHead(answer.status, Object.fromEntries(passed)).end(sent);
  });
  return { origin, close, state };
}
