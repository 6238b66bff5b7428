// What a product's front end needs of Evergrant: a session token and four calls. The official browser client sends
// the same requests; it is not embedded here so that the page has nothing to install.

const POLL_MS = 1000;

export class Evergrant {
  /**
   * @param {string} base where Evergrant is
   * @param {() => Promise<string>} newToken asks the product's own back end for a session token
   */
  constructor(base, newToken) {
    this.base = base;
    this.newToken = newToken;
    this.token = undefined;
  }

  /** One request; a refused session token is replaced once. */
  async #call(method, path, body, again = true) {
    this.token ??= await this.newToken();
    const headers = { authorization: `Bearer ${this.token}` };
    if (body) headers["content-type"] = "application/json";
    const reply = await fetch(this.base + path, { method, headers, body: body && JSON.stringify(body) });
    const json = await reply.json().catch(() => ({}));
    if (reply.status === 401 && again) {
      this.token = undefined;
      return this.#call(method, path, body, false);
    }
    if (!reply.ok) throw new Error(json.message ?? `Evergrant answered ${reply.status}`);
    return json;
  }

  getApp(slug) {
    return this.#call("GET", `/api/v2/f-sdk/application/${slug}`);
  }

  disconnect(slug) {
    return this.#call("DELETE", `/api/v1/linked-acc/integration/${slug}`);
  }

  saveKey(slug, values) {
    return this.#call("POST", `/api/v2/app/${slug}/save`, values);
  }

  /** Connecting and reconnecting are the same: resolves true once healthy, false when the window is closed before. */
  async connect(slug) {
    const { auth_url: url } = await this.#call("GET", `/api/v1/${slug}/integrate`);
    const popup = window.open(url, "connect", "popup,width=520,height=720");
    if (!popup) throw new Error("The browser blocked the window. Allow pop-ups for this page and try again.");
    for (;;) {
      await new Promise((later) => setTimeout(later, POLL_MS));
      const closed = popup.closed; // read before asking: a window that closes meanwhile gets one more look
      const app = await this.getApp(slug);
      if (app.connected === true && !app.reauth_required) {
        popup.close();
        return true;
      }
      if (closed) return false;
    }
  }
}
