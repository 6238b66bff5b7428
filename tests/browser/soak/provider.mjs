// A provider that rotates its refresh tokens and misbehaves on purpose. It keeps the truth about every grant, so that a soak can
// be judged by it: which live, which have died of what, whether one was ever refreshed twice at once or a token used twice
// without need.
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bodyOf, listen, sendJson } from '../support/net.mjs';

/** Two manners: one forgives a second use of a refresh token for half a minute, the other never. */
export const APPS = /** @type {const} */ (['soak-grace', 'soak-strict']);
export const CLIENT = Object.freeze({ id: 'soak-client', secret: `soak-secret-${randomBytes(12).toString('hex')}` });
const ACCESS_LIFE = 90;
const GRACE_MS = 30_000;
/** A younger access token is not withdrawn: Evergrant takes the refusal of a token that a refresh has just brought for proof. */
const SETTLED_MS = 10_000;

/**
 * @typedef {object} Grant
 * @property {string} id
 * @property {string} app
 * @property {string} code what its customer's browser brings back
 * @property {string} refresh the refresh token that is good
 * @property {Map<string, number>} used those before it, and when they were used
 * @property {string} end why it has died; empty while it lives
 * @property {boolean} lost whether a reply that rotated it may not have arrived
 * @property {number} underWay refreshes of it that are being worked on
 */

/** What can be wrong at present. All chances are for one request. */
export const FAIR = Object.freeze({ down: false, throttle: 0, slow: 0, lose: 0, withdraw: 0, hangUp: 0, apiDown: 0 });
/** @typedef {{ [Name in keyof typeof FAIR]: (typeof FAIR)[Name] extends boolean ? boolean : number }} Weather */

const token = (/** @type {string} */ kind) => `${kind}-${randomBytes(18).toString('base64url')}`;
const chance = (/** @type {number} */ of) => Math.random() < of;
const pause = (/** @type {number} */ ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Starts it. */
export async function startProvider() {
  /** @type {Map<string, Grant>} */
  const byRefresh = new Map();
  /** @type {Map<string, Grant>} */
  const byCode = new Map();
  /** @type {Map<string, { grant: Grant, end: number }>} */
  const access = new Map();
  /** @type {Weather} */
  let weather = { ...FAIR };
  const counts = { refreshes: 0, refused: 0, lost: 0, calls: 0, faults: 0, withdrawn: 0 };
  /** What a careful client never does. @type {string[]} */
  const offences = [];

  /** @param {Grant} grant */
  function issue(grant) {
    const at = token('at');
    access.set(at, { grant, end: Date.now() + ACCESS_LIFE * 1000 });
    return at;
  }

  /** @param {Grant} grant */
  function rotate(grant) {
    grant.used.set(grant.refresh, Date.now());
    grant.refresh = token('rt');
    byRefresh.set(grant.refresh, grant);
    counts.refreshes += 1;
    return { access_token: issue(grant), refresh_token: grant.refresh, token_type: 'Bearer', expires_in: ACCESS_LIFE };
  }

  /** The rules of rotation. @param {string} presented */
  function redeem(presented) {
    const grant = byRefresh.get(presented);
    if (!grant || grant.end) return undefined;
    const usedAt = grant.used.get(presented);
    if (usedAt === undefined) return rotate(grant);
    if (!grant.lost) offences.push(`a refresh token of ${grant.id} was used twice though no reply was lost`);
    if (grant.app === 'soak-grace' && Date.now() - usedAt < GRACE_MS) return rotate(grant);
    grant.end = 'reuse';
    return undefined;
  }

  /** A code is good for one exchange. @param {string} code @param {import('node:http').ServerResponse} response */
  function exchange(code, response) {
    const grant = byCode.get(code);
    byCode.delete(code);
    if (!grant || weather.down) return sendJson(response, grant ? 503 : 400, { error: grant ? 'temporarily_unavailable' : 'invalid_grant' });
    const body = { access_token: issue(grant), refresh_token: grant.refresh, token_type: 'Bearer', expires_in: ACCESS_LIFE };
    return sendJson(response, 200, body);
  }

  /** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
  async function tokenEndpoint(request, response) {
    const form = new URLSearchParams((await bodyOf(request)).toString());
    if (form.get('grant_type') === 'authorization_code') return exchange(form.get('code') ?? '', response);
    const presented = form.get('refresh_token') ?? '';
    const grant = byRefresh.get(presented);
    if (grant) {
      grant.underWay += 1;
      if (grant.underWay > 1) offences.push(`two refreshes of ${grant.id} at once`);
    }
    try {
      if (chance(weather.slow)) await pause(Math.random() * 2000);
      if (weather.down || chance(weather.throttle)) {
        counts.faults += 1;
        const status = weather.down ? 503 : 429;
        return sendJson(response, status, { error: 'temporarily_unavailable' }, { 'retry-after': '1' });
      }
      const issued = redeem(presented);
      if (!issued) {
        counts.refused += 1;
        return sendJson(response, 400, { error: 'invalid_grant', error_description: 'the grant is dead' });
      }
      if (grant) grant.lost = true; // until it is certain that the reply has gone out
      if (chance(weather.lose)) {
        counts.lost += 1;
        return void response.socket?.destroy();
      }
      if (gone(request)) return; // a node that was killed meanwhile
      await new Promise((resolve) => {
        response.once('close', resolve);
        sendJson(response, 200, issued);
      });
      if (grant && response.writableFinished && !gone(request)) grant.lost = false;
    } finally {
      if (grant) grant.underWay -= 1;
    }
  }

  /** Whether who asked has gone; what was written is then lost. @param {import('node:http').IncomingMessage} request */
  const gone = (request) => request.socket.destroyed;

  /** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
  async function api(request, response) {
    counts.calls += 1;
    if (chance(weather.slow)) await pause(Math.random() * 500);
    if (chance(weather.apiDown)) return sendJson(response, 503, { error: 'unavailable' });
    if (chance(weather.throttle)) return sendJson(response, 429, { error: 'slow down' }, { 'retry-after': '1' });
    const bearer = (request.headers.authorization ?? '').replace(/^Bearer /, '');
    const known = access.get(bearer);
    const settled = known && known.end - Date.now() < ACCESS_LIFE * 1000 - SETTLED_MS;
    if (settled && !known.grant.end && chance(weather.withdraw)) {
      counts.withdrawn += 1;
      access.delete(bearer); // a 401 out of the blue: only this token is dead
    }
    const good = access.get(bearer);
    if (!good || good.grant.end || good.end < Date.now()) {
      return sendJson(response, 401, { error: 'invalid_token' }, { 'www-authenticate': 'Bearer error="invalid_token"' });
    }
    if (request.method === 'POST') return void request.pipe(response);
    if (!chance(weather.hangUp)) return sendJson(response, 200, { sub: good.grant.id });
    response.writeHead(200, { 'content-length': 1000 }).write('half');
    setImmediate(() => response.socket?.destroy());
  }

  const served = await listen((request, response) => (
    request.url?.endsWith('/token') ? tokenEndpoint(request, response) : api(request, response)
  ));
  served.server.on('clientError', (_, socket) => socket.destroy());
  let made = 0;
  return {
    ...served,
    counts,
    offences,
    /** What is wrong from now on. @param {Partial<Weather>} now */
    setWeather(now) { weather = { ...FAIR, ...now }; },
    /** A customer has consented. @param {string} app @returns {Grant} */
    consent(app) {
      made += 1;
      /** @type {Grant} */
      const grant = { id: `grant-${made}`, app, code: token('code'), refresh: token('rt'), used: new Map(), end: '', lost: false, underWay: 0 };
      byRefresh.set(grant.refresh, grant);
      byCode.set(grant.code, grant);
      return grant;
    },
    /** A node was killed: what it was told lately it may not have written down. */
    nodeKilled() {
      const lately = Date.now() - 10_000;
      for (const grant of new Set(byRefresh.values())) {
        if ([...grant.used.values()].some((at) => at > lately)) grant.lost = true;
      }
    },
    /** Forgets what has ended, as any provider does: a long run must not fill this process. */
    tidy() {
      const now = Date.now();
      for (const [name, { end }] of access) if (end < now) access.delete(name);
    },
  };
}

/** The applications' files. @param {string} folder @param {string} origin */
export async function writeCatalog(folder, origin) {
  await mkdir(folder, { recursive: true });
  for (const app of APPS) {
    await writeFile(join(folder, `${app}.toml`), `slug = "${app}"
name = "${app}"
description = "A provider that misbehaves"
tags = ["Test"]

[api]
base_url = "${origin}/${app}/api"

[lifetimes]
rotation = "always"
${app === 'soak-grace' ? `grace = "${GRACE_MS / 1000}s"` : ''}

[oauth2]
authorization_url = "${origin}/${app}/authorize"
token_url = "${origin}/${app}/token"
scopes = ["all"]
client_authentication = "post"
placement = [{ kind = "bearer" }]
probe = { url = "/me" }
`);
  }
}
