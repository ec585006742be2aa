//go:build tools

// Keeps the programs that the tests build from other modules in go.mod.
package interop

import (
	_ "github.com/hashicorp/serf/cmd/serf"
)
