// Executes Go templates on JSON: one list of cases a line, one list of outcomes back.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/template"
)

type testCase struct {
	Template string
	Data     json.RawMessage
}

type outcome struct {
	Text  string `json:"text"`
	Error string `json:"error"`
}

// typed makes whole numbers integers, which they are in Nomad's structs.
func typed(value any) any {
	switch given := value.(type) {
	case json.Number:
		if whole, err := given.Int64(); err == nil {
			return int(whole)
		}
		float, _ := given.Float64()
		return float
	case []any:
		for i, one := range given {
			given[i] = typed(one)
		}
	case map[string]any:
		for key, one := range given {
			given[key] = typed(one)
		}
	}
	return value
}

func run(one testCase) outcome {
	decoder := json.NewDecoder(bytes.NewReader(one.Data))
	decoder.UseNumber()
	var data any
	if err := decoder.Decode(&data); err != nil {
		panic(err)
	}
	parsed, err := template.New("").Parse(one.Template)
	if err != nil {
		return outcome{Error: err.Error()}
	}
	var out strings.Builder
	if err := parsed.Execute(&out, typed(data)); err != nil {
		return outcome{Error: err.Error()}
	}
	return outcome{Text: out.String()}
}

func main() {
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var cases []testCase
		if err := json.Unmarshal(lines.Bytes(), &cases); err != nil {
			panic(err)
		}
		outcomes := make([]outcome, len(cases))
		for i, one := range cases {
			outcomes[i] = run(one)
		}
		json.NewEncoder(os.Stdout).Encode(outcomes)
	}
}
