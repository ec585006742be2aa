// What HashiCorp's go-metrics sends for the same points, and what Prometheus' own linter says of a
// text: the first argument chooses.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/hashicorp/go-metrics"
	"github.com/hashicorp/go-metrics/datadog"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

type point struct {
	Key    []string
	Kind   string
	Value  float32
	Labels []metrics.Label
}

type asked struct {
	Statsd, Statsite, Datadog string
	Node, Host                string
	HostAsLabel               bool
	Tags                      []string
	Allowed, Blocked          []string
	FilterDefault             bool
	Points                    []point
}

func main() {
	input, err := io.ReadAll(os.Stdin)
	if err == nil && os.Args[1] == "lint" {
		err = lint(input)
	} else if err == nil {
		err = emit(input)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func emit(input []byte) error {
	var a asked
	if err := json.Unmarshal(input, &a); err != nil {
		return err
	}
	statsd, err := metrics.NewStatsdSink(a.Statsd)
	if err != nil {
		return err
	}
	statsite, err := metrics.NewStatsiteSink(a.Statsite)
	if err != nil {
		return err
	}
	dog, err := datadog.NewDogStatsdSink(a.Datadog, a.Node)
	if err != nil {
		return err
	}
	dog.SetTags(a.Tags)
	config := metrics.DefaultConfig("nomad")
	config.EnableRuntimeMetrics = false
	config.HostName = a.Host
	config.EnableHostname = a.Host != ""
	config.EnableHostnameLabel = a.HostAsLabel
	config.AllowedPrefixes = a.Allowed
	config.BlockedPrefixes = a.Blocked
	config.FilterDefault = a.FilterDefault
	all, err := metrics.New(config, metrics.FanoutSink{statsd, statsite, dog})
	if err != nil {
		return err
	}
	for _, one := range a.Points {
		if one.Kind == "counter" {
			all.IncrCounterWithLabels(one.Key, one.Value, one.Labels)
		} else {
			all.SetGaugeWithLabels(one.Key, one.Value, one.Labels)
		}
	}
	// Everything is flushed ten times a second.
	time.Sleep(500 * time.Millisecond)
	dog.Shutdown()
	return nil
}

type found struct {
	Families int
	Problems []promlint.Problem
}

// As promtool check metrics does it.
func lint(input []byte) error {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(input))
	if err != nil {
		return err
	}
	problems, err := promlint.New(bytes.NewReader(input)).Lint()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(found{len(families), problems})
}
