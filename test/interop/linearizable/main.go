// Is a history linearizable? Porcupine says so. One history a line on standard input, a JSON list
// of operations on registers; one line back for each: "ok", "illegal" or "unknown".
//
//	{"register": 3, "kind": "write", "value": "v7", "call": 12.5, "return": 20.1}
//
// A write without "return" may have happened at any time since its call.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/anishathalye/porcupine"
)

type operation struct {
	Register int      `json:"register"`
	Kind     string   `json:"kind"`
	Value    string   `json:"value"`
	Call     float64  `json:"call"`
	Return   *float64 `json:"return"`
}

// Each register by itself: linearizability is local.
var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byRegister := map[int][]porcupine.Operation{}
		for _, one := range history {
			register := one.Input.(operation).Register
			byRegister[register] = append(byRegister[register], one)
		}
		var parts [][]porcupine.Operation
		for _, part := range byRegister {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		one := input.(operation)
		if one.Kind == "write" {
			return true, one.Value
		}
		return state == one.Value, state
	},
}

func main() {
	fmt.Println(`{"ready":true}`)
	scanner := bufio.NewScanner(os.Stdin)
	scanner.Buffer(nil, 64<<20)
	for scanner.Scan() {
		var operations []operation
		if err := json.Unmarshal(scanner.Bytes(), &operations); err != nil {
			fmt.Printf("%q\n", err.Error())
			continue
		}
		history := make([]porcupine.Operation, len(operations))
		for i, one := range operations {
			end := int64(math.MaxInt64)
			if one.Return != nil {
				end = int64(*one.Return * 1e6)
			}
			history[i] = porcupine.Operation{ClientId: i, Input: one, Call: int64(one.Call * 1e6), Return: end}
		}
		verdict := porcupine.CheckOperationsTimeout(model, history, 20*time.Second)
		fmt.Printf("%q\n", map[porcupine.CheckResult]string{
			porcupine.Ok: "ok", porcupine.Illegal: "illegal", porcupine.Unknown: "unknown",
		}[verdict])
	}
}
