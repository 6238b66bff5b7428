//! Wording by meaning: the codes and phrases that providers share.
//!
//! Codes are compared without case and punctuation. Phrases are regular expressions over the answer's texts in
//! lower case. What belongs to one provider alone stands in its file instead.

use std::sync::LazyLock;

use regex::Regex;

use super::signals::Signals;

/// One thing that answers speak of.
#[derive(Debug)]
pub(super) struct Concept {
    codes: &'static [&'static str],
    phrases: LazyLock<Regex>,
}

impl Concept {
    /// The code or the words in which the answer speaks of it.
    pub(super) fn found(&self, signals: &Signals) -> Option<String> {
        if let Some(code) = signals.first_code(self.codes) {
            return Some(code.to_owned());
        }
        self.phrases.find(&signals.text).map(|words| words.as_str().to_owned())
    }

    /// Whether the answer's texts, codes aside, speak of it.
    pub(super) fn in_text(&self, signals: &Signals) -> Option<String> {
        self.phrases.find(&signals.text).map(|words| words.as_str().to_owned())
    }
}

macro_rules! concepts {
    ($($(#[$doc:meta])+ $name:ident { codes: [$($code:literal),* $(,)?], phrases: $phrases:literal })+) => {$(
        $(#[$doc])+
        pub(super) static $name: Concept = Concept {
            codes: &[$($code),*],
            phrases: LazyLock::new(|| Regex::new($phrases).expect("a constant expression compiles")),
        };
    )+
    };
}

concepts! {
    /// Throttled: come back later.
    RATE_LIMITED {
        codes: ["rate_limited", "rate_limit", "ratelimited", "rate_limit_exceeded", "too_many_requests", "slow_down", "throttled",
            "throttling", "throttling_exception", "quota_exceeded", "rateLimitExceeded", "userRateLimitExceeded", "dailyLimitExceeded",
            "request_limit_exceeded", "limit_exceeded", "over_query_limit"],
        phrases: r"rate.?limit|too many (?:api )?(?:requests|calls)|throttl|request limit(?:ed)?\b.{0,20}(?:reached|exceeded)|limit.{0,24}(?:has been |was |is )?(?:reached|exceeded)|exceeded.{0,40}(?:limit|quota)|quota (?:limit|exceeded)|requests? (?:made )?too (?:frequently|often|quickly)|number of allowed (?:api )?requests|zu viele (?:anfragen|aufrufe|versuche)|trop de requ[êe]tes|demasiadas (?:solicitudes|peticiones)|muitas (?:solicitações|requisições)|troppe richieste|te veel verzoeken|リクエスト(?:数)?が多すぎ|请求(?:过于|太)频繁"
    }
    /// The provider's own trouble, said in so many words.
    OUTAGE {
        codes: ["server_error", "temporarily_unavailable", "internal_failure", "internal_error", "internal_server_error", "service_unavailable",
            "backend_error", "overloaded_error", "gateway_timeout", "timeout", "migration_in_progress", "maintenance", "request_timeout", "fatal_error"],
        phrases: r"temporar(?:y|ily) (?:un|fail|error|outage|down|not)|is (?:currently )?(?:not responding|unavailable|down\b|overloaded|being migrated)|(?:under|down for|scheduled|planned|undergoing) maintenance|maintenance (?:mode|window|in progress)|\bback (?:soon|shortly|online)\b|internal (?:server )?error|system error|(?:please )?try again (?:later|soon|in a )|timed out|transient error|wartungsarbeiten|vorübergehend nicht|en maintenance|temporairement indisponible|en mantenimiento|メンテナンス中|系统维护"
    }
    /// The saving collided with another: try again.
    CONFLICT { codes: ["conflict_error"], phrases: r"\A\z.|please (?:try again|retry)" }
    /// The authorising user, or the whole account, is gone or shut.
    USER_DISABLED {
        codes: ["inactive_user", "user_disabled", "account_disabled", "account_inactive", "user_inactive", "account_suspended", "user_suspended",
            "account_deactivated", "account_deleted", "user_deleted", "user_removed_from_team", "account_closed"],
        phrases: r"\b(?:user|account|member|owner)\b.{0,24}\b(?:is|has been|was|been) (?:\w+ )?(?:disabled|deleted|deactivated|suspended|terminated|removed|blocked|closed)\b|(?:inactive|disabled|deactivated|suspended|deleted) (?:user|account)\b|\b(?:user|account) (?:disabled|deleted|suspended|deactivated|blocked)\b|not a confirmed user"
    }
    /// The grant died with a password.
    PASSWORD_CHANGED {
        codes: ["password_changed", "password_reset", "password_expired"],
        phrases: r"password.{0,20}\b(?:changed|reset|expired)|(?:changed|change|reset) (?:or reset |or changed )?(?:the |their |his |its |your )?password"
    }
    /// An interactive step or an administrator's consent is demanded.
    INTERACTION {
        codes: ["interaction_required", "consent_required", "login_required", "mfa_required", "invalid_rapt", "admin_policy_enforced",
            "policy_enforced", "consent_revoked", "reauthentication_required", "step_up_required", "item_login_required", "two_factor_required",
            "account_selection_required", "org_internal_admin_consent_required"],
        phrases: r"multi.?factor|two.?factor|\b(?:mfa|2fa)\b|conditional access|reauth related error|\blog in to\b.{0,60}(?:unlock|follow|verify|confirm|continue)|(?:admin(?:istrator)?|user).{0,30}(?:consent|approval) (?:is )?(?:required|needed)|consent.{0,12}required|restricted by polic"
    }
    /// The end customer removed the app.
    UNINSTALLED {
        codes: ["app_uninstalled", "app_not_installed", "app_not_found", "application_uninstalled", "not_installed", "installation_suspended",
            "installation_deleted", "app_removed"],
        phrases: r"\bapp(?:lication)?\b.{0,24}\b(?:is not|isn't|not|no longer) installed|\buninstalled\b|installation has been (?:suspended|deleted|removed)"
    }
    /// The team's OAuth client is said to exist no more, or to be shut.
    CLIENT_DELETED {
        codes: ["deleted_client", "client_deleted", "client_not_found", "application_cannot_be_found", "client_disabled",
            "app_deleted", "application_not_found", "disabled_client"],
        phrases: r"\b(?:oauth )?(?:client|application|app)\b.{0,12}\b(?:was|is|has been) (?:not found|deleted|disabled|removed|suspended)|\bapplication with (?:id|identifier)\b.{0,80}\bnot found\b|could not find.{0,30}\bapplication\b|no (?:such )?(?:client|application)(?: with [^.\n]{0,24})? (?:was )?(?:found|exists)|no such (?:client|application)\b"
    }
    /// The team's client id is not known; it may be deleted, or mistyped in the team's settings.
    CLIENT_UNKNOWN {
        codes: ["invalid_client_id", "bad_client_id", "unknown_client"],
        phrases: r"client identifier (?:is )?(?:invalid|unknown)|(?:invalid|unknown) client.?id\b|unknown client\b|\bclient (?:is )?disabled\b"
    }
    /// The refresh token belongs to another client: the team changed its client, the grant is as it was.
    OTHER_CLIENT {
        codes: [],
        phrases: r"not issued (?:to|for) (?:this|the|your) client|\b(?:incorrect|wrong|mismatch\w*)\b[^.\n]{0,30}\bclient.?id\b|client.?id (?:does not match|mismatch)"
    }
    /// The team's service account is shut.
    SERVICE_ACCOUNT {
        codes: [],
        phrases: r"\b(?:robot|service account)\b[^.\n]{0,24}\b(?:disabled|deleted|not found)"
    }
    /// The team's app is not registered for what it does.
    REGISTRATION {
        codes: ["client_not_enrolled", "app_not_verified"],
        phrases: r"registered in the developer|\bdeveloper (?:app|portal|dashboard|console)\b"
    }
    /// A key without saying whose; an application key of the team reads the same.
    WHOSE_KEY {
        codes: [],
        phrases: r"(?m)^invalid (?:app(?:lication)? )?key\.?$"
    }
    /// The team's client secret, or its way of authenticating, is refused.
    CLIENT_SECRET {
        codes: ["invalid_client", "invalid_client_secret", "bad_client_secret", "incorrect_client_credentials", "invalid_client_credentials",
            "client_authentication_failed", "invalid_secret", "client_secret_expired", "unauthorized_client_secret"],
        phrases: r"client authentication failed|\b(?:invalid|incorrect|wrong|bad|expired|missing or invalid)\b.{0,24}\b(?:client|app|consumer).?secret|client.?secret.{0,20}\b(?:is |are |has )?(?:invalid|incorrect|wrong|expired|mismatch)|(?:invalid|incorrect|wrong).{0,12}client (?:credentials|authentication)|client.?id or (?:client.?)?secret"
    }
    /// We did not send the credential, or not in the right form.
    OUR_FAULT {
        codes: ["signature_does_not_match", "signature_expired", "request_time_too_skewed", "request_expired", "missing_authorization", "missing_token", "token_missing", "no_authorization", "missing_credentials", "not_authed", "missing_authentication"],
        phrases: r"missing (?:a )?(?:valid |required )(?:authentication|authorization|parameter)|missing (?:the )?(?:authorization|authentication|access.?token|auth)\b|(?:token|credentials?|api.?key|authorization)\b.{0,24} (?:is|was|are|were) (?:missing|not (?:provided|supplied|present|specified))|not found (?:on|in) the request|credentials? not found|(?:no|without) (?:access token|api key|credentials?|authorization|authentication)\b.{0,24}(?:provided|supplied|sent|present|found)|(?:you (?:did not|didn't|have not) provide)|login required\.|(?:token|header).{0,20} parsing failed|unable to parse.{0,20}token|invalid jwt|unsupported grant.?type|(?:signature|request|jws|assertion) (?:has )?expired|signature\b[^.\n]{0,40}\bdoes not match|(?:invalid|bad|expired|stale|old) timestamp|timestamp [^.\n:]{0,24}(?:invalid|expired|too old|out of range|outside|skew)|clock.?skew|too ?skewed|\bnonce\b|used before issued|not yet valid|issued in the future|\b(?:https|ssl|tls) (?:is )?required"
    }
    /// Alive, without a permission.
    SCOPE {
        codes: ["insufficient_scope", "missing_scope", "missing_scopes", "insufficient_permissions", "insufficientPermissions", "no_permission",
            "access_token_scope_insufficient", "scope_not_authorized", "invalid_scope", "insufficient_access", "insufficient_privileges", "not_allowed_token_type"],
        phrases: r"(?m)\b(?:insufficient|missing|lacks?|without|requires?|required|(?:does not|doesn't) (?:contain|match|have|include)|not (?:contain|granted)|outside|invalid)\b[^.\n]{0,60}\bscopes?\b|\bscopes?\b[^.\n]{0,24}\b(?:missing|required|insufficient|(?:does|do) not (?:match|allow)|not (?:match|granted|authori[sz]ed|allowed|sufficient))|insufficient (?:permission|privilege|authenti?cation scope)|(?:not enough|lacks?|missing|without|does not have|doesn't have).{0,24}permission|requires?.{0,60}permission|permission (?:requested|required|denied)|not (?:been )?authori[sz]ed to (?:perform|access|do)|higher privileges|api unauthorized|\bmissing access$|keine berechtigung|fehlende berechtigung|nicht berechtigt|pas (?:la |les |l.|le |d.)?(?:permission|autorisation|droit)|(?:no tiene|sin|faltan?) (?:los |el )?permisos?|permisos? (?:insuficientes?|denegado)|(?:sem|não tem) permissão|non (?:hai|dispone|ha)[^.\n]{0,20}(?:permess|autorizzazion)|権限が(?:ありません|不足)|没有权限|权限不足"
    }
    /// Forbidden for want of a permission, rather than for no reason given.
    FORBIDDEN {
        codes: ["access_denied", "permission_denied", "insufficient_access", "forbidden_error"],
        phrases: r"\bpermissions? (?:to|for)\b|not authori[sz]ed|access (?:is )?denied"
    }
    /// The plan, the bill, or a policy.
    PLAN {
        codes: ["payment_required", "require_feature", "plan_required", "feature_not_available", "insufficient_funds", "billing_not_active", "ekm_access_denied", "upgrade_required"],
        phrases: r"\byour plan\b|upgrade|premium|credit balance|trial (?:has )?expired|payment (?:details|required)|purchase credits|subscription|billing|restricted from|past due|overdue|unpaid|non.?payment"
    }
    /// The credential is said to be revoked.
    REVOKED {
        codes: ["token_revoked", "revoked_access_token", "access_token_revoked", "token_has_been_revoked", "user_permission_revoked", "authorization_revoked"],
        phrases: r"revoked|logged out|explicitly invalidated|no longer (?:valid|authori[sz]ed)|withdrawn|user has (?:removed|de.?authori[sz]ed)|widerrufen|révoqué|revocad|revogad|ingetrokken|取り消され|(?:撤销|吊销)"
    }
    /// The credential is said to be expired.
    EXPIRED {
        codes: ["token_expired", "access_token_expired", "expired_access_token", "expired_token", "session_expired", "invalid_session_id", "api_key_expired", "refresh_token_expired"],
        phrases: r"expired|has timed out|session not active|token is not active|too old|past its lifetime|inactivity|abgelaufen|expirée?\b|caducad|expirad|scadut|verlopen|期限が?切れ|期限切れ|过期|만료"
    }
    /// Something less certain stands beside "expired" or "revoked".
    ALTERNATIVES {
        codes: [],
        phrases: r"\b(?:invalid|incorrect|unknown|malformed|wrong|expired|revoked|or)\b[^.\n]{0,60}(?:, |\bor\b|/)[^.\n]{0,60}\b(?:invalid|incorrect|unknown|malformed|expired|revoked)\b|may have (?:been )?(?:revoked|expired)"
    }
    /// A refresh token is refused.
    DEAD_GRANT {
        codes: ["invalid_grant", "bad_refresh_token", "invalid_refresh_token", "refresh_token_not_found", "refresh_token_expired", "refresh_token_revoked",
            "expired_refresh_token", "token_revoked", "token_expired", "expired_token", "invalid_token", "bad_token", "refresh_token_invalid", "refresh_token_already_used"],
        phrases: r"invalid (?:o?auth )?grant|grant (?:is |was )?(?:invalid|expired|revoked|not found)|(?:refresh.?|authorization |value passed for the )token\b.{0,24}\b(?:invalid|incorrect|expired|revoked|not found|unknown|not valid|already|used)|(?:invalid|incorrect|expired|revoked|unknown|bad)\b.{0,24}\b(?:refresh.?token|refresh)|refresh.?token\ninvalid\b|(?:offline )?(?:user )?session (?:is |was )?(?:not found|not active)|token is not active|stale token|(?:cannot|can't|could not|unable to) (?:renew|refresh).{0,24}token|(?:aktualisierungs|refresh).?token[^.\n]{0,40}(?:ungültig|abgelaufen|widerrufen|invalide|expiré|révoqu|no (?:es |son )?válid|inválid|caducad|expirad|revocad|revogad|scadut|non valid|revocat)|jeton d.actualisation[^.\n]{0,40}(?:invalide|expiré|révoqu)|token (?:de|di) (?:actualización|atualização|aggiornamento)[^.\n]{0,40}(?:no (?:es |son )?válid|inválid|caducad|expirad|revocad|revogad|scadut|non valid|revocat)|(?:リフレッシュ|更新)トークン[^。\n]{0,20}(?:無効|期限が?切れ|有効期限|失効|取り消され|正しくありません)|刷新令牌[^。\n]{0,12}(?:无效|过期|失效|撤销|吊销)"
    }
    /// An access token or key is refused.
    REFUSED {
        codes: ["invalid_token", "invalid_auth", "invalid_authentication", "invalid_credentials", "bad_credentials", "unauthorized", "unauthenticated",
            "authentication_failed", "authentication_error", "authentication_required", "invalid_api_key", "api_key_invalid", "invalid_access_token",
            "auth_error", "expired_authentication", "not_authenticated", "token_invalid", "bad_token", "invalid_key", "expired_token", "token_expired", "token_revoked"],
        phrases: r"(?:token|api.?key|credentials?|session|authentication|access key|password)\b[^.\n]{0,60}\b(?:invalid|incorrect|expired|revoked|not valid|unrecogni[sz]ed|wrong|failed|failure|disabled|deactivated|deleted|inactive)|(?:invalid|incorrect|bad|expired|unrecogni[sz]ed|error validating|failed to verify)[^.\n]{0,24}\b(?:token|api.?key|x-api-key|credentials?|session|access key|login|authentication)|no valid (?:api.?key|token|credentials?|session)|subscription key|(?:token|api.?key|session|credentials?) (?:is |are |was )?not (?:found|recogni[sz]ed|active|known)|could(?:n't| not) authenticate|not authenticated|(?:api.?schlüssel|zugriffs.?token|zugangsdaten|anmeldedaten)[^.\n]{0,40}(?:ungültig|abgelaufen|widerrufen)|ungültige[rsn]? (?:api.?schlüssel|zugriffs.?token|zugangsdaten|anmeldedaten)|(?:clé (?:d.)?api|jeton d.accès|identifiants)[^.\n]{0,40}(?:invalide|expiré|révoqu)|(?:clave (?:de )?(?:la )?api|chave (?:de |da )?api|chiave api|token de ace?ss?o|credenciales)[^.\n]{0,40}(?:no (?:es |son )?válid|inválid|caducad|expirad|revocad|revogad|scadut|non valid|revocat)|(?:apiキー|アクセストークン|認証情報)[^。\n]{0,20}(?:無効|期限が?切れ|有効期限|失効|取り消され|正しくありません)|(?:访问令牌|api ?密钥)[^。\n]{0,12}(?:无效|过期|失效|撤销|吊销)"
    }
    /// An access token or key is refused, in words that can mean nothing else, whatever the status.
    SURELY_REFUSED {
        codes: ["invalid_auth", "invalid_api_key", "api_key_invalid", "invalid_access_token", "access_token_expired", "expired_access_token",
            "access_token_revoked", "revoked_access_token", "token_expired", "expired_token", "token_revoked", "not_authenticated", "unauthenticated", "authentication_required"],
        phrases: r"\brevoked (?:their|his|her|its|the) (?:permission|access|authori[sz]ation|consent)\b[^.\n]{0,16}\b(?:your|this) (?:app|application|integration|client)\b|(?:access.?token|api.?key|oauth.?token|bearer.?token|api.?token)\b[^.\n]{0,60}\b(?:invalid|incorrect|expired|revoked|not valid|unrecogni[sz]ed|disabled|deactivated|deleted)|(?:invalid|incorrect|expired|unrecogni[sz]ed|error validating|failed to verify)[^.\n]{0,16}\b(?:access.?token|api.?key|x-api-key|oauth.?token|bearer.?token|api.?token|access key)|(?:api.?schlüssel|zugriffs.?token|zugangsdaten|anmeldedaten)[^.\n]{0,40}(?:ungültig|abgelaufen|widerrufen)|ungültige[rsn]? (?:api.?schlüssel|zugriffs.?token|zugangsdaten|anmeldedaten)|(?:clé (?:d.)?api|jeton d.accès|identifiants)[^.\n]{0,40}(?:invalide|expiré|révoqu)|(?:clave (?:de )?(?:la )?api|chave (?:de |da )?api|chiave api|token de ace?ss?o|credenciales)[^.\n]{0,40}(?:no (?:es |son )?válid|inválid|caducad|expirad|revocad|revogad|scadut|non valid|revocat)|(?:apiキー|アクセストークン|認証情報)[^。\n]{0,20}(?:無効|期限が?切れ|有効期限|失効|取り消され|正しくありません)|(?:访问令牌|api ?密钥)[^。\n]{0,12}(?:无效|过期|失效|撤销|吊销)|\bnot authenticated\b"
    }
    /// "Missing" is only one guess.
    MISSING_OR_WORSE {
        codes: [],
        phrases: r"missing(?:,| or|/)|or (?:is |was |are )?(?:missing|absent|empty)\b|not (?:provided|found|present),? or|or not (?:provided|present|supplied)|invalid,? (?:expired,? )?or missing|not found[^.\n]{0,40} or (?:is |are )?invalid"
    }
    /// The place or person that an answer may speak of instead of our grant.
    SOMEBODY_ELSE {
        codes: [],
        phrases: r"\bin (?:the|this) (?:conversation|chat|channel|meeting|team|group|repository)\b|\b(?:target|recipient|assignee|invitee|contact|requested|specified) (?:user|account|member)\b|\b(?:user|account|member) (?:id )?[`'\x22#\d]|cannot (?:be )?(?:message|invite|assign|add)|you (?:are|have been) blocked by|\b(?:removed|deleted|blocked|suspended|banned) (?:from|in)\b|\b(?:list|board|project|room|thread|post|comment|ticket|campaign|subscriber|customer)\b"
    }
    /// "Expired" or "revoked", of something that is neither a grant nor a token: a secret, a bill, a code.
    NOT_THE_GRANT {
        codes: [],
        phrases: r"\b(?:secret|geheimnis|certificate|zertifikat|assertion|signature|timestamp|nonce|trial|subscription|licen[sc]e|plan|card|coupon|domain|password|invitation|invite|link)\b"
    }
    /// A token, key or session that is a parameter of the call and not its credential.
    OTHER_TOKEN {
        codes: ["invalid_csrf_token", "csrf_token_invalid", "invalid_page_token", "invalid_sync_token"],
        phrases: r"\b(?:csrf|xsrf|anti.?forgery|captcha|recaptcha|otp|one.?time|page|pagination|cursor|continuation|sync|delta|upload|checkout|payment|chat|video|meeting|import|export|verification|confirmation|invitation|invite|registration|device|push|share|reset|webhook|idempotency|partition|primary|foreign|encryption|object)[ _\-]?(?:session|token|key|link|code)s?\b"
    }
    /// Somebody the provider itself calls, whose refusal it passes on.
    THIRD_PARTY {
        codes: [],
        phrases: r"\bupstream\b|\bthird.?party\b|\bintegration's\b|\bconnected (?:mailbox|inbox|calendar|account|integration)\b|\bdownstream\b"
    }
    /// What a credential is called, so that "revoked" under 403 speaks of ours.
    CREDENTIAL {
        codes: [],
        phrases: r"\b(?:tokens?|keys?|credentials?|access|session|consent|grant|permission|authori[sz]ation|de.?authori[sz]ed|app|application)\b|トークン|キー|令牌|密钥|schlüssel|jeton|clé|clave|logged out"
    }
    /// A gateway, a firewall or a captive portal refuses us, not the credential.
    GATEWAY {
        codes: [],
        phrases: r"error code: 10(?:0[6-9]|10|12|20)\b|attention required!|just a moment\.\.\.|checking your browser|cf-browser-verification|captcha|access denied.{0,40}(?:firewall|edgesuite)|request blocked|unusual traffic|\bip(?: address)?\b[^.\n]{0,40}\b(?:not (?:allowed|permitted|authori[sz]ed|white.?listed|allow.?listed)|blocked|denied|restricted)|proxy authentication required|edgesuite\.net|incapsula incident|sorry, you have been blocked|\bip(?: address)? [\d.:a-f]+ (?:is |was |has been )?(?:not (?:allowed|permitted|authori[sz]ed)|blocked|denied|restricted|banned)"
    }
}
