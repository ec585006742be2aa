package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Keeps the newest answer in JSON that was whole.
type recorder struct {
	next http.RoundTripper
	body []byte
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.next.RoundTrip(request)
	if err != nil || response.ContentLength <= 0 || response.StatusCode >= 300 ||
		!strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		return response, err
	}
	sent, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(sent))
	if response.Header.Get("Content-Encoding") != "gzip" {
		r.body = sent
		return response, nil
	}
	plain, err := gzip.NewReader(bytes.NewReader(sent))
	if err != nil {
		return nil, err
	}
	r.body, err = io.ReadAll(plain)
	return response, err
}

// The names in an answer that a type of the client's has no field for, and its fields that are not
// in the answer though it does not call them optional; each with its way, once.
func fieldsOf(answer any, wanted reflect.Type) (unknown, missing []string) {
	extra, absent := map[string]bool{}, map[string]bool{}
	compare(answer, wanted, "", extra, absent)
	return slices.Sorted(maps.Keys(extra)), slices.Sorted(maps.Keys(absent))
}

func compare(answer any, wanted reflect.Type, way string, extra, absent map[string]bool) {
	for wanted.Kind() == reflect.Pointer {
		wanted = wanted.Elem()
	}
	switch one := answer.(type) {
	case []any:
		if wanted.Kind() == reflect.Slice {
			for _, each := range one {
				compare(each, wanted.Elem(), way+"[]", extra, absent)
			}
		}
	case map[string]any:
		switch {
		case wanted.Kind() == reflect.Map:
			for _, each := range one {
				compare(each, wanted.Elem(), way+"{}", extra, absent)
			}
		case wanted.Kind() == reflect.Struct && wanted != reflect.TypeFor[time.Time]():
			compareStruct(one, wanted, way, extra, absent)
		}
	}
}

// What the client takes from headers and its clock stands in some of its types, too.
func isMeta(wanted reflect.Type, field reflect.StructField) bool {
	from := wanted.Field(field.Index[0]).Type
	return from == reflect.TypeFor[api.QueryMeta]() || from == reflect.TypeFor[api.WriteMeta]()
}

func compareStruct(
	answer map[string]any, wanted reflect.Type, way string, extra, absent map[string]bool,
) {
	left := maps.Clone(answer)
	for _, field := range reflect.VisibleFields(wanted) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !field.IsExported() || field.Anonymous || name == "-" {
			continue
		}
		if name == "" {
			name = field.Name
		}
		at := strings.TrimPrefix(way+"."+name, ".")
		value, ok := answer[name]
		if !ok {
			if !strings.Contains(options, "omitempty") && !isMeta(wanted, field) {
				absent[at] = true
			}
			continue
		}
		delete(left, name)
		compare(value, field.Type, at, extra, absent)
	}
	for name := range left {
		extra[strings.TrimPrefix(way+"."+name, ".")] = true
	}
}
