// A third party that gives out API keys: `GET /v1/me` says whose key it is, or 401.
import { listen, sendJson } from './net.mjs';

/** Starts it. Keys are good until revoked. */
export async function startKeyed() {
  /** @type {Map<string, string>} key to owner */
  const keys = new Map();
  /** Every key that was issued or tried. @type {Set<string>} */
  const seen = new Set();
  const counts = { accepted: 0, refused: 0 };
  let isDown = false;
  const { origin, authority, close } = await listen((request, response) => {
    const [, key = ''] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? [];
    if (key) seen.add(key);
    if (isDown) return sendJson(response, 503, { error: 'unavailable' });
    const owner = keys.get(key);
    if (owner === undefined) {
      counts.refused += 1;
      return sendJson(response, 401, { error: 'invalid_api_key', message: 'This API key is not valid.' });
    }
    counts.accepted += 1;
    if (request.url !== '/v1/me') return sendJson(response, 404, { error: 'not_found' });
    return sendJson(response, 200, { id: owner, email: `${owner}@keyed.test` });
  });
  return {
    origin,
    authority,
    close,
    counts,
    /** What must never be seen in a log. */
    secrets: () => [...seen],
    /** @param {string} key @param {string} owner */
    issue: (key, owner) => keys.set(key, owner),
    /** Every answer is 503 while it is down. @param {boolean} down */
    setDown(down) { isDown = down; },
    /** @param {string} key */
    revoke: (key) => keys.delete(key),
  };
}
