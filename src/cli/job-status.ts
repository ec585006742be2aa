/** `nomad job status`: there are none here, and of an agent that has some they are listed. */
import { errorText } from "../host/error-text.ts";
import { ApiClient } from "./api-client.ts";
import type { ApiFlags } from "./api-command.ts";
import { formatTable } from "./columns.ts";
import { checkFormat, type FormatFlags, printFormatted } from "./data-format.ts";
import { listField, parseAnswer, textField } from "./json-read.ts";
import { CommandError, print } from "./output.ts";

interface JobFlags extends ApiFlags, FormatFlags {}

export async function jobStatus(id: string | undefined, flags: JobFlags): Promise<void> {
  checkFormat(flags);
  const client = new ApiClient(flags, process.env);
  const jobs = await jobsOf(client, id);
  if (id !== undefined && jobs.length === 0) {
    throw new CommandError(`No job(s) with prefix or ID ${JSON.stringify(id)} found`);
  }
  if (await printFormatted(jobs, flags)) return;
  if (jobs.length === 0) return print("No running jobs");
  const columns = ["ID", "Type", "Priority", "Status"];
  print(formatTable([columns, ...jobs.map((one) => columns.map((name) => textField(one, name)))]));
}

/** An agent of ours has no such path, or an empty list there. @throws CommandError */
async function jobsOf(client: ApiClient, prefix: string | undefined): Promise<readonly unknown[]> {
  const query = prefix === undefined ? "" : `?prefix=${encodeURIComponent(prefix)}`;
  const fail = (why: string): never => {
    throw new CommandError(`Error querying jobs: ${why}`);
  };
  const { status, body } = await client
    .send("GET", `/v1/jobs${query}`)
    .catch((error: unknown) => fail(errorText(error)));
  if (status === 404) return [];
  if (status !== 200) fail(`Unexpected response code: ${status} (${body.trim()})`);
  const found = parseAnswer(body, `${client.addressText}/v1/jobs`);
  return listField({ all: found }, "all");
}
