/** `nomad acl` and what is below it. */
import type { Command } from "commander";
import { apiCommand } from "./api-command.ts";
import { formatted } from "./data-format.ts";

const many = (value: string, before: string[] = []): string[] => [...before, value];

export function addAcl(program: Command): void {
  const acl = program.command("acl").description("Interact with ACL policies, tokens and roles");
  formatted(apiCommand(acl.command("bootstrap")))
    .argument("[path]", "a file with the secret to use, a UUID; - reads it from stdin")
    .description("Make the first management token")
    .action(async (path, flags) => (await import("./acl-token.ts")).aclBootstrap(path, flags));
  addTokens(acl.command("token").description("Interact with ACL tokens"));
  addPolicies(acl.command("policy").description("Interact with ACL policies"));
  addRoles(acl.command("role").description("Interact with ACL roles"));
}

function addTokens(token: Command): void {
  const linked = (command: Command): Command =>
    command
      .option("--name <name>", "for people")
      .option("--type <type>", "client or management (of a new one: client)")
      .option("--policy <name>", "a policy of it, of client tokens only; repeatable", many)
      .option("--role-id <id>", "a role of it, by its id; repeatable", many)
      .option("--role-name <name>", "a role of it, by its name; repeatable", many);
  formatted(linked(apiCommand(token.command("create"))))
    .description("Make a token")
    .option("--global", "it holds in all regions")
    .option("--ttl <duration>", "it expires so long after it was made (default: never)")
    .action(async (flags) => (await import("./acl-token.ts")).tokenCreate(flags));
  linked(apiCommand(token.command("update")))
    .argument("<token_accessor_id>", "not its secret")
    .description("Change a token; policies or roles replace those that it has")
    .action(async (id, flags) => (await import("./acl-token.ts")).tokenUpdate(id, flags));
  formatted(apiCommand(token.command("list")))
    .description("List the tokens, without their secrets")
    .action(async (flags) => (await import("./acl-token.ts")).tokenList(flags));
  apiCommand(token.command("info"))
    .argument("<token_accessor_id>", "not its secret")
    .description("Show a token")
    .action(async (id, flags) => (await import("./acl-token.ts")).tokenInfo(id, flags));
  apiCommand(token.command("self"))
    .description("Show the token that is sent (-token, NOMAD_TOKEN)")
    .action(async (flags) => (await import("./acl-token.ts")).tokenSelf(flags));
  apiCommand(token.command("delete"))
    .argument("<token_accessor_id>", "not its secret")
    .description("Delete a token")
    .action(async (id, flags) => (await import("./acl-token.ts")).tokenDelete(id, flags));
}

function addPolicies(policy: Command): void {
  apiCommand(policy.command("apply"))
    .argument("<name>", "letters, digits and dashes")
    .argument("<file>", "with its rules, in HCL or JSON; - reads them from stdin")
    .description("Make or change a policy")
    .option("--description <text>", "for people")
    .option("--job <id>", "kept with it: whose workload has it (with -namespace)")
    .option("--group <name>", "the same, of one task group (with -job)")
    .option("--task <name>", "the same, of one task (with -group)")
    .action(async (name, path, flags) => {
      return (await import("./acl-policy.ts")).policyApply(name, path, flags);
    });
  formatted(apiCommand(policy.command("list")))
    .description("List the policies; without a management token, those of one's own")
    .action(async (flags) => (await import("./acl-policy.ts")).policyList(flags));
  apiCommand(policy.command("info"))
    .argument("<name>", "a policy")
    .description("Show a policy")
    .action(async (name, flags) => (await import("./acl-policy.ts")).policyInfo(name, flags));
  formatted(apiCommand(policy.command("self")))
    .description("List the policies of the token that is sent")
    .action(async (flags) => (await import("./acl-policy.ts")).policySelf(flags));
  apiCommand(policy.command("delete"))
    .argument("<name>", "a policy")
    .description("Delete a policy")
    .action(async (name, flags) => (await import("./acl-policy.ts")).policyDelete(name, flags));
}

function addRoles(role: Command): void {
  const described = (command: Command): Command =>
    command
      .option("--name <name>", "letters, digits and dashes")
      .option("--description <text>", "for people")
      .option("--policy <name>", "a policy of it; repeatable", many);
  formatted(described(apiCommand(role.command("create"))))
    .description("Make a role: policies under one name")
    .action(async (flags) => (await import("./acl-role.ts")).roleCreate(flags));
  formatted(apiCommand(role.command("list")))
    .description("List the roles; without a management token, those of one's own")
    .action(async (flags) => (await import("./acl-role.ts")).roleList(flags));
  formatted(apiCommand(role.command("info")))
    .argument("<acl_role_id>", "a role")
    .description("Show a role")
    .option("--by-name", "the argument is its name")
    .action(async (id, flags) => (await import("./acl-role.ts")).roleInfo(id, flags));
  formatted(described(apiCommand(role.command("update"))))
    .argument("<acl_role_id>", "a role")
    .description("Change a role; policies are added to those that it has")
    .option("--no-merge", "all of it is replaced")
    .action(async (id, flags) => (await import("./acl-role.ts")).roleUpdate(id, flags));
  apiCommand(role.command("delete"))
    .argument("<acl_role_id>", "a role")
    .description("Delete a role")
    .action(async (id, flags) => (await import("./acl-role.ts")).roleDelete(id, flags));
}
