// The program under test: a real process of the real binary, on SQLite or on a PostgreSQL database of its own.
// Every command line and every address that only Evergrant has is written in this file alone.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { eventually, freePort } from './net.mjs';

const BINARY = process.env.EVERGRANT_BIN ?? fileURLToPath(new URL('../../../target/debug/evergrant', import.meta.url));
const TENANT = ['--org', 'default', '--env', 'test'];

/** @typedef {'sqlite' | 'postgres'} Engine */

/**
 * A database of its own on the server that TEST_POSTGRES_URL names. Fails without it: nothing is skipped.
 * @returns {Promise<{ url: string, drop: () => Promise<void> }>}
 */
async function freshPostgres() {
  const server = process.env.TEST_POSTGRES_URL;
  assert(server, 'TEST_POSTGRES_URL is not set; run through scripts/with-postgres.sh or `make test-browser`');
  const name = `evergrant_${randomBytes(6).toString('hex')}`;
  const psql = (/** @type {string} */ sql) => promisify(execFile)('psql', ['--no-psqlrc', '--quiet', '--command', sql, server]);
  await psql(`CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, drop: async () => void await psql(`DROP DATABASE ${name} WITH (FORCE)`) };
}

/** One running Evergrant. */
export class Evergrant {
  /** What it wrote to standard output and error, for failures and for the search for secrets. */
  log = '';

  /** What must never stand in it; `stop` looks. @type {Set<string>} */
  secrets = new Set();

  /**
   * @param {string} origin
   * @param {NodeJS.ProcessEnv} environment
   * @param {() => Promise<void>} cleanUp
   */
  constructor(origin, environment, cleanUp) {
    this.origin = origin;
    this.environment = environment;
    this.cleanUp = cleanUp;
    /** An API key of environment `test`; the first one there is, hence the signing key. */
    this.key = '';
    this.#keep(environment.EVERGRANT_MASTER_KEY);
    this.child = spawn(BINARY, ['serve'], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => { this.log += text; });
    }
    this.exited = once(this.child, 'exit');
    this.exited.catch(() => {}); // spawn errors surface in `start`
  }

  /**
   * Starts one with nothing in its database and an API key of environment `test`.
   * @param {{ engine: Engine, port?: number, egressAllow: string[], catalog?: string, more?: NodeJS.ProcessEnv }} options `more`
   * are further variables of its environment
   */
  static async start({ engine, port, egressAllow, catalog, more = {} }) {
    await access(BINARY).catch(() => assert.fail(`no binary at ${BINARY}; run: make build`));
    const postgres = engine === 'postgres' ? await freshPostgres() : undefined;
    const folder = await mkdtemp(join(tmpdir(), 'evergrant-browser-'));
    const authority = `127.0.0.1:${port ?? await freePort()}`;
    const evergrant = new Evergrant(`http://${authority}`, {
      PATH: process.env.PATH,
      RUST_BACKTRACE: '1',
      EVERGRANT_LISTEN: authority,
      EVERGRANT_PUBLIC_URL: `http://${authority}`,
      EVERGRANT_DATA_DIR: folder,
      EVERGRANT_MASTER_KEY: randomBytes(32).toString('base64'),
      EVERGRANT_EGRESS_ALLOW: egressAllow.join(','),
      ...(postgres && { EVERGRANT_DATABASE_URL: postgres.url }),
      ...(catalog && { EVERGRANT_CATALOG_DIR: catalog }),
      ...more,
    }, async () => {
      await postgres?.drop();
      await rm(folder, { recursive: true, force: true });
    });
    try {
      await evergrant.#ready();
      evergrant.key = await evergrant.createKey('browser-tests');
    } catch (error) {
      await evergrant.kill();
      throw error;
    }
    return evergrant;
  }

  /**
   * Starts another node on the same database, with the same keys and the same public address; it has to be ended by itself.
   * @param {NodeJS.ProcessEnv} [different] settings that it does not share
   */
  async another(different = {}) {
    const folder = await mkdtemp(join(tmpdir(), 'evergrant-node-'));
    const authority = `127.0.0.1:${await freePort()}`;
    const node = new Evergrant(`http://${authority}`, {
      ...this.environment,
      EVERGRANT_LISTEN: authority,
      EVERGRANT_DATA_DIR: folder,
      ...different,
    }, () => rm(folder, { recursive: true, force: true }));
    try {
      await node.#ready();
    } catch (error) {
      await node.kill();
      throw error;
    }
    node.key = this.key;
    return node;
  }

  async #ready() {
    await eventually('/readyz', async () => {
      if (this.child.exitCode !== null) throw new Error(`evergrant ended with ${this.child.exitCode}:\n${this.log}`);
      const answer = await fetch(`${this.origin}/readyz`).catch(() => undefined);
      return answer?.ok || undefined;
    }, 30_000);
  }

  /** @param {string | undefined} secret */
  #keep(secret) {
    assert(secret, 'a secret is missing from an answer');
    this.secrets.add(secret);
    return secret;
  }

  /** Drains and ends it by SIGTERM; anything but exit code 0 is a failure, and so is a secret in what it logged. */
  async stop() {
    this.child.kill('SIGTERM');
    const [code, signal] = await this.exited;
    await this.cleanUp();
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, `evergrant did not end cleanly:\n${this.log}`);
    for (const secret of this.secrets) assert(!this.log.includes(secret), `a secret was logged: ${secret.slice(0, 4)}…`);
  }

  /** Ends it at once. */
  async kill() {
    await this.crash();
    await this.cleanUp();
  }

  /** The same, and what it had on disk stays as it was. */
  async crash() {
    this.child.kill('SIGKILL');
    await this.exited.catch(() => {});
  }

  /**
   * Runs `evergrant … --json` against the same database.
   * @param {string[]} words
   * @param {string} [input] standard input, for what must not stand on a command line
   * @returns {Promise<any>}
   */
  async cli(words, input = '') {
    const child = spawn(BINARY, [...words, '--json'], { env: this.environment });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text) => { out += text; });
    child.stderr.setEncoding('utf8').on('data', (text) => { err += text; });
    child.stdin.on('error', () => {}); // a command that reads nothing may end before it is written
    child.stdin.end(input);
    const [code] = await once(child, 'close');
    assert.equal(code, 0, `evergrant ${words.join(' ')} ended with ${code}: ${err}`);
    return out.trim() === '' ? undefined : JSON.parse(out);
  }

  /**
   * Calls the public API with the API key.
   * @param {string} method
   * @param {string} path
   * @param {{ account?: string, body?: unknown, expect?: number }} [options]
   * @returns {Promise<any>}
   */
  async api(method, path, { account, body, expect = 200 } = {}) {
    const answer = await fetch(this.origin + path, {
      method,
      headers: {
        'x-api-key': this.key,
        'content-type': 'application/json',
        ...(account !== undefined && { linked_account_id: account }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    assert.equal(answer.status, expect, `${method} ${path}: ${text}`);
    return JSON.parse(text);
  }

  /** Where the provider sends the browser back to. @param {string} slug */
  callback(slug) { return `${this.origin}/api/v1/${slug}/callback`; }

  /** @param {string} name @returns {Promise<string>} */
  async createKey(name) { return this.#keep((await this.cli(['key', 'create', ...TENANT, '--name', name])).key); }

  /** @param {string} slug @param {{ id: string, secret: string }} client */
  setClient(slug, { id, secret }) {
    return this.cli(['app', 'client', 'set', slug, ...TENANT, '--client-id', id, '--client-secret-stdin'], secret);
  }

  /** @param {string} url @param {string[]} events */
  createWebhook(url, events) {
    return this.cli(['webhook', 'create', ...TENANT, '--url', url, ...events.flatMap((event) => ['--event', event])]);
  }

  /** @param {string} account */
  createAccount(account) {
    return this.api('POST', '/api/v2/public/linked-account', { body: { linked_account_id: account, name: account } });
  }

  /** @param {string} account @returns {Promise<string>} */
  async sessionToken(account) {
    return this.#keep((await this.api('POST', '/api/v2/public/session-token', { body: { linked_account_id: account } })).token);
  }

  /** The id of the account's only connection to an application. @param {string} account @param {string} slug @returns {Promise<string>} */
  async connectionId(account, slug) {
    const listed = await this.cli(['connection', 'list', ...TENANT, '--account', account, '--app', slug]);
    const connections = Array.isArray(listed) ? listed : listed.connections;
    assert.equal(connections.length, 1, `connections of ${account} to ${slug}: ${JSON.stringify(listed)}`);
    return connections[0].id;
  }

  /** Status, reason, since, evidence and timeline. @param {string} id */
  connection(id) { return this.api('GET', `/api/v2/public/connection/${id}`); }

  /** Asks the provider now whether the credential still works. @param {string} id */
  check(id) { return this.cli(['connection', 'check', ...TENANT, id]); }

  /** Flags a connection by hand. @param {string} id */
  expire(id) { return this.cli(['connection', 'expire', ...TENANT, id]); }

  /** What happens when a customer reconnects with another account. @param {'refuse' | 'ask'} word */
  setPolicy(word) { return this.cli(['policy', 'set', ...TENANT, '--account-switch', word]); }

  /** Runs a statement on its PostgreSQL, and returns what it prints. @param {string} sql */
  async psql(sql) {
    const url = this.environment.EVERGRANT_DATABASE_URL;
    assert(url, 'not on PostgreSQL');
    const done = await promisify(execFile)('psql', ['--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '--command', sql, url]);
    return done.stdout.trim();
  }

  /** Starts a consent and returns the address that opens in the customer's browser. @param {string} account @param {string} slug @returns {Promise<string>} */
  async oauthUrl(account, slug) {
    return (await this.api('GET', `/api/v2/public/linked-account/integration/oauth-url/${slug}`, { account })).auth_url;
  }
}
