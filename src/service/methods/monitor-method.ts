/** Agent.Monitor: the log of this agent, or of the server that the request names. */
import { errorText } from "../../host/error-text.ts";
import { FAREWELL_MS, finish } from "../../host/finish.ts";
import type { ByteStream } from "../../host/host.ts";
import { encodeValue } from "../../wire/codec.ts";
import { decodeNodeConn, encodeNodeNamed } from "../../wire/rpc-status.ts";
import { encodeFrameError, type MonitorRequest, monitorRequest } from "../../wire/rpc-stream.ts";
import type { RpcForwarder } from "../rpc/client/forward.ts";
import type { PoolTarget } from "../rpc/client/pool.ts";
import type { NodeLines } from "../rpc/node-lines.ts";
import { REQUEST_BYTES_MAX, type ValueStream } from "../rpc/value-stream.ts";
import type { MethodGuard } from "./method-guard.ts";
import type { Monitor } from "./monitor.ts";
import { HANDSHAKE_MS, passOn, passOver, type StreamMethod } from "./stream-methods.ts";

export const MONITOR = "Agent.Monitor";
/** It names no node that a token could be the secret of. */
const NO_BODY = new Uint8Array(0);

interface MonitorMethodInit {
  readonly region: string;
  readonly monitor: Monitor;
  /** Undefined on an agent that is a client only. */
  readonly forwarder: RpcForwarder | undefined;
  /** Which server a name, an id or "leader" means: "self", one to be asked, or none. */
  readonly server: (id: string) => PoolTarget | "self" | undefined;
  /** Undefined on an agent that is a client only. */
  readonly nodes: NodeAccess | undefined;
  /** The id of the client node that this agent is; undefined: it is none. */
  readonly ownNode: string | undefined;
  /** Looks at tokens; a client leaves that to the servers that ask it. */
  readonly guard?: Pick<MethodGuard, "check">;
  /** On an agent that is a client only: to a server, which finds whoever else is meant. */
  readonly streamTo?: () => Promise<ByteStream>;
}

export interface NodeAccess {
  readonly isKnown: (id: string) => boolean;
  readonly lines: NodeLines;
}

export class MonitorMethod implements StreamMethod {
  readonly #init: MonitorMethodInit;

  constructor(init: MonitorMethodInit) {
    this.#init = init;
  }

  async serve(stream: ByteStream, values: ValueStream): Promise<void> {
    const request = await values.next(monitorRequest, HANDSHAKE_MS, REQUEST_BYTES_MAX);
    if (request === undefined) return stream.destroy();
    const { region, monitor, server } = this.#init;
    const fail = (code: number, message: string): void => {
      stream.write(encodeFrameError(code, message));
      void finish(stream, FAREWELL_MS);
    };
    const pass = async (to: PoolTarget | string, request: MonitorRequest): Promise<void> => {
      const { forwarder } = this.#init;
      if (forwarder === undefined) return fail(500, "No path to region");
      const body = encodeValue(monitorRequest, { ...request, Forwarded: true });
      try {
        await passOn({ stream, values }, forwarder, to, MONITOR, body);
      } catch (error) {
        fail(500, errorText(error));
      }
    };
    if (request.NodeID !== "" && request.ServerID !== "") {
      return fail(400, "Cannot target node and server simultaneously");
    }
    const failed = (error: unknown): void => fail(500, errorText(error));
    if (this.#init.streamTo !== undefined && !this.#isOwn(request)) {
      const body = encodeValue(monitorRequest, request);
      return this.#init
        .streamTo()
        .then((to) => passOver({ stream, values }, to, MONITOR, body).catch(failed), failed);
    }
    if (request.Region !== "" && request.Region !== region) {
      if (request.Forwarded) return fail(500, "No path to region");
      return pass(request.Region, request);
    }
    try {
      this.#init.guard?.check(MONITOR, request.AuthToken, NO_BODY);
    } catch (error) {
      return fail(403, errorText(error));
    }
    if (request.NodeID !== "" && request.NodeID !== this.#init.ownNode) {
      const way = await this.#wayTo(request);
      if (typeof way === "string") return fail(404, way);
      if ("address" in way) return pass(way, request);
      // It is judged: no node gets to see an operator's token.
      const body = encodeValue(monitorRequest, { ...request, AuthToken: "" });
      return passOver({ stream, values }, way, MONITOR, body).catch(failed);
    }
    if (request.ServerID !== "") {
      const target = server(request.ServerID);
      if (target === undefined) return fail(400, `unknown Nomad server ${request.ServerID}`);
      if (target !== "self") return pass(target, { ...request, ServerID: "" });
    }
    return monitor.serve(stream, request);
  }

  #isOwn({ NodeID, ServerID, Region }: MonitorRequest): boolean {
    const { region, ownNode } = this.#init;
    const isHere = Region === "" || Region === region;
    return isHere && ServerID === "" && (NodeID === "" || NodeID === ownNode);
  }

  /** A stream to a client, a server that has one, or why there is neither. */
  async #wayTo(request: MonitorRequest): Promise<ByteStream | PoolTarget | string> {
    const { region, nodes, forwarder } = this.#init;
    const { NodeID: id } = request;
    if (nodes?.isKnown(id) !== true) return `Unknown node "${id}"`;
    const near = nodes.lines.stream(id);
    if (near !== undefined) return near;
    const body = encodeNodeNamed(id, region);
    const far = request.Forwarded
      ? undefined
      : await forwarder?.whoSays(region, "Status.HasNodeConn", body, decodeNodeConn);
    return far ?? "No path to node";
  }
}
