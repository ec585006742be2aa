/** Evaluates templates as the agent does: one JSON string a line in, one JSON object a line out. */
import { renderAddress } from "../../src/config/sockaddr.ts";
import { defaultInterface, machineInterfaces } from "../../src/host/interfaces.ts";

const interfaces = { all: machineInterfaces(), defaultName: defaultInterface() };
const input = await Bun.stdin.text();
for (const line of input.split("\n").filter((one) => one !== "")) {
  const { text, error } = renderAddress(JSON.parse(line), () => interfaces);
  console.log(JSON.stringify(error === undefined ? { text } : { error }));
}
