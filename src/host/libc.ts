/** The C library, for what the runtime has no function of its own. */
import { dlopen, type FFIFunction, type Library } from "bun:ffi";

/** glibc's name, then musl's. */
const NAMES = ["libc.so.6", "libc.so"];

/** @throws Error: there is no such library, or it lacks one of these functions */
export function openLibc<const Functions extends Record<string, FFIFunction>>(
  functions: Functions,
): Library<Functions> {
  for (const name of NAMES) {
    try {
      return dlopen(name, functions);
    } catch {
      // The next one.
    }
  }
  throw new Error("libc cannot be loaded");
}
