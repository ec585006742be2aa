/** What of Nomad's ACLs is not here, and what is said of it. */

/** Ways to a token that are not here: each method says so. */
export const ABSENT_METHODS = [
  ...["DeleteAuthMethods", "GetAuthMethod", "GetAuthMethods", "ListAuthMethods"],
  ...["UpsertAuthMethods", "DeleteBindingRules", "GetBindingRule", "GetBindingRules"],
  ...["ListBindingRules", "UpsertBindingRules", "Login", "OIDCAuthURL", "OIDCCompleteAuth"],
  ...["ExchangeOneTimeToken", "ExpireOneTimeTokens", "UpsertOneTimeToken"],
].map((name) => `ACL.${name}`);
export const ABSENT = "auth methods and one-time tokens are not implemented by this agent";
