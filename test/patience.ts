/** Before every test file: a slow machine is no failure, and a test that hangs still ends. */
import { setDefaultTimeout } from "bun:test";

setDefaultTimeout(60_000);
