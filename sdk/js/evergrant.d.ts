/**
 * The browser side of Evergrant: connect, reconnect and disconnect a customer's applications.
 *
 *     const evergrant = new Evergrant({ baseUrl: 'https://connect.example.com', token });
 *     button.onclick = async () => { if (await evergrant.connect('slack')) showConnected(); };
 *
 * One plain module without dependencies, published as it is written. It speaks documented routes only, stores nothing
 * in the browser, and never sees a credential of the application's.
 *
 * @module
 */
export type AuthType = 'oauth2' | 'keybased';
export type Status = 'none' | 'active' | 'expired';
export type InputField = {
    /**
     * the key to send back
     */
    name: string;
    label: string;
    /**
     * `text`, `password`, `number`, `boolean`, `select`, …
     */
    type: string;
    required: boolean;
    placeholder?: string;
    help_text?: string;
    multiple?: boolean;
    /**
     * of a `select`
     */
    options?: {
        name?: string;
        value: string;
    }[];
};
export type ConnectedAccount = {
    /**
     * who it is at the application; `"NA"` when unknown
     */
    identifier: unknown;
    /**
     * ISO 8601; moves with every reconnect
     */
    connectedAt: string;
    auth_type: AuthType;
    status: 'active' | 'expired';
};
export type Application = {
    name: string;
    slug: string;
    /**
     * an absolute URL
     */
    icon: string;
    description: string;
    /**
     * the primary one
     */
    auth_type: AuthType;
    /**
     * the fields of each supported auth type
     */
    auth_type_options: Partial<Record<AuthType, InputField[]>>;
    /**
     * the fields of the primary one
     */
    auth_input_map: InputField[];
    tags: string[];
    reauth_required: boolean;
    /**
     * also while expired
     */
    connected?: boolean;
    connected_accounts?: ConnectedAccount[];
};
export type EvergrantOptions = {
    /**
     * a session token that your back end has created for the customer
     */
    token?: string;
    /**
     * where Evergrant is; may be left out when this module is loaded from there
     */
    baseUrl?: string;
    /**
     * asked for a token when there is none, or the old one has expired
     */
    getToken?: () => string | Promise<string>;
    /**
     * how often to look while the customer consents, in milliseconds; 3000 by default
     */
    pollMs?: number;
    /**
     * how long to wait for a consent; ten minutes by default, after which it is void anyway
     */
    timeoutMs?: number;
};
export type ConnectOptions = {
    /**
     * gives up, closes the window and rejects with `ABORTED`
     */
    signal?: AbortSignal;
    /**
     * how long to wait for the customer
     */
    timeoutMs?: number;
};
export type ConnectFields = {
    slug: string;
    /**
     * for applications that take both; otherwise found out
     */
    type?: AuthType;
    /**
     * what the customer has typed in
     */
    payload?: Payload;
};
export type ConnectRequest = ConnectFields & ConnectOptions;
export type Payload = Record<string, string | number | boolean>;
export type StatusListener = (status: Status, application: Application, before: Status) => void;
export type Return = {
    slug: string;
    outcome: 'connected' | 'denied' | 'failed';
    code?: string;
};
export type Started = {
    auth_url: string;
    flow?: string;
    can_return?: boolean;
};
export type Flow = {
    slug: string;
    popup: Window;
    started: Started;
    before: Application;
};
export type Running = {
    popup: Window | null | undefined;
    end: Promise<boolean>;
};
/**
 * How an application authenticates.
 * @typedef {'oauth2' | 'keybased'} AuthType
 */
/**
 * `none`: not connected; `active`: working; `expired`: the customer must reconnect.
 * @typedef {'none' | 'active' | 'expired'} Status
 */
/**
 * A field of a form that the application asks for.
 * @typedef {object} InputField
 * @property {string} name the key to send back
 * @property {string} label
 * @property {string} type `text`, `password`, `number`, `boolean`, `select`, …
 * @property {boolean} required
 * @property {string} [placeholder]
 * @property {string} [help_text]
 * @property {boolean} [multiple]
 * @property {{ name?: string, value: string }[]} [options] of a `select`
 */
/**
 * A credential that is stored for the customer.
 * @typedef {object} ConnectedAccount
 * @property {unknown} identifier who it is at the application; `"NA"` when unknown
 * @property {string} connectedAt ISO 8601; moves with every reconnect
 * @property {AuthType} auth_type
 * @property {'active' | 'expired'} status
 */
/**
 * An application and what is connected of it.
 * @typedef {object} Application
 * @property {string} name
 * @property {string} slug
 * @property {string} icon an absolute URL
 * @property {string} description
 * @property {AuthType} auth_type the primary one
 * @property {Partial<Record<AuthType, InputField[]>>} auth_type_options the fields of each supported auth type
 * @property {InputField[]} auth_input_map the fields of the primary one
 * @property {string[]} tags
 * @property {boolean} reauth_required
 * @property {boolean} [connected] also while expired
 * @property {ConnectedAccount[]} [connected_accounts]
 */
/**
 * @typedef {object} EvergrantOptions
 * @property {string} [token] a session token that your back end has created for the customer
 * @property {string} [baseUrl] where Evergrant is; may be left out when this module is loaded from there
 * @property {() => string | Promise<string>} [getToken] asked for a token when there is none, or the old one has expired
 * @property {number} [pollMs] how often to look while the customer consents, in milliseconds; 3000 by default
 * @property {number} [timeoutMs] how long to wait for a consent; ten minutes by default, after which it is void anyway
 */
/**
 * @typedef {object} ConnectOptions
 * @property {AbortSignal} [signal] gives up, closes the window and rejects with `ABORTED`
 * @property {number} [timeoutMs] how long to wait for the customer
 */
/**
 * @typedef {object} ConnectFields
 * @property {string} slug
 * @property {AuthType} [type] for applications that take both; otherwise found out
 * @property {Payload} [payload] what the customer has typed in
 */
/** @typedef {ConnectFields & ConnectOptions} ConnectRequest */
/** @typedef {Record<string, string | number | boolean>} Payload */
/** @typedef {(status: Status, application: Application, before: Status) => void} StatusListener */
/** @typedef {{ slug: string, outcome: 'connected' | 'denied' | 'failed', code?: string }} Return */
/** @typedef {{ auth_url: string, flow?: string, can_return?: boolean }} Started */
/** @typedef {{ slug: string, popup: Window, started: Started, before: Application }} Flow */
/** @typedef {{ popup: Window | null | undefined, end: Promise<boolean> }} Running the window: `null` was blocked */
/** The one error that everything here rejects with. */
export declare class EvergrantError extends Error {
    /**
     * Stable: `SESSION_EXPIRED`, `POPUP_BLOCKED`, `NETWORK`, `TIMEOUT`, `ABORTED`, `INVALID_ARGUMENT`, `BAD_RESPONSE`,
     * why a consent failed (`PROVIDER_PROBLEM`, `NOT_SET_UP`, `NO_TOKENS`, …), or the server's own `error_code`.
     */
    code: string;
    /** The HTTP status, where a server answered. */
    status: number | undefined;
    /** Names the request in the server's log. */
    requestId: string | undefined;
    /**
     * @param {string} code
     * @param {string} message
     * @param {{ status?: number, requestId?: string, cause?: unknown }} [more]
     */
    constructor(code: string, message: string, { status, requestId, cause }?: {
        status?: number;
        requestId?: string;
        cause?: unknown;
    });
}
/**
 * What an application object says about the connection as a whole.
 * @param {Application} application
 * @returns {Status}
 */
export declare function statusOf(application: Application): Status;
/**
 * What the customer came back with, after a page that could open no window was sent to the application itself; `null` on
 * any other load of the page. Takes it out of the address. It is news for a message on the screen: whether something
 * is connected, `getApp` says.
 * @returns {Return | null}
 */
export declare function takeReturn(): Return | null;
/** A customer's applications, as far as a session token reaches. */
export declare class Evergrant {
    #private;
    /** @type {string | undefined} */ token: string | undefined;
    /** @type {string} */ baseUrl: string;
    /** @param {EvergrantOptions} options */
    constructor(options: EvergrantOptions);
    /**
     * Connects an application, or reconnects it: the same call. Call it in a click, or browsers block the window.
     * Resolves `true` once a new credential works, `false` when the customer declined or closed the window. A refused key
     * rejects, and the old one stays.
     *
     *     connect('slack')                                    // OAuth
     *     connect('twilio', { sid, auth_token })              // keys
     *     connect({ slug: 'shopify', type: 'oauth2', payload: { shop } })
     *
     * @param {string | ConnectRequest} what
     * @param {Payload} [payload]
     * @param {ConnectOptions} [options]
     * @returns {Promise<boolean>}
     */
    connect(what: string | ConnectRequest, payload?: Payload, options?: ConnectOptions): Promise<boolean>;
    /**
     * Ends an application's connections, or the one of an auth type; the credentials are erased.
     * @param {string} slug
     * @param {AuthType} [type]
     * @returns {Promise<true>}
     */
    disconnect(slug: string, type?: AuthType): Promise<true>;
    /**
     * One application with its state; all of them when no slug is given.
     * @template {string | undefined} [S=undefined]
     * @param {S} [slug]
     * @param {{ signal?: AbortSignal }} [options]
     * @returns {Promise<S extends string ? Application : Application[]>}
     */
    getApp<S extends string | undefined = undefined>(slug?: S, { signal }?: {
        signal?: AbortSignal;
    }): Promise<S extends string ? Application : Application[]>;
    /**
     * All applications with their state.
     * @param {{ signal?: AbortSignal }} [options]
     * @returns {Promise<Application[]>}
     */
    getApps(options?: {
        signal?: AbortSignal;
    }): Promise<Application[]>;
    /** Whose session it is. @returns {Promise<Record<string, unknown>>} */
    getAccountDetails(): Promise<Record<string, unknown>>;
    /**
     * The configuration of an application, as the official component asks for it.
     * @param {{ slug: string, config_id?: string, labels?: unknown }} request
     * @returns {Promise<Record<string, unknown>>}
     */
    config(request: {
        slug: string;
        config_id?: string;
        labels?: unknown;
    }): Promise<Record<string, unknown>>;
    /**
     * Calls back whenever the status of an application changes: by what is done here, in another tab, or at the
     * application. Looks every half minute while the page is visible, and whenever it becomes so.
     * @param {string} slug
     * @param {StatusListener} listener
     * @param {{ everyMs?: number, onError?: (error: EvergrantError) => void }} [options]
     * @returns {() => void} stops it
     */
    onStatusChange(slug: string, listener: StatusListener, { everyMs, onError }?: {
        everyMs?: number;
        onError?: (error: EvergrantError) => void;
    }): () => void;
}
/** The name that the documented class has, so that an import line is all that changes. */
export { Evergrant as Cobalt };
