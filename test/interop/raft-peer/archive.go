// Snapshot archives with Go's own tar, gzip and JSON, read into hashicorp/raft's SnapshotMeta: as
// `nomad operator snapshot` does it.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/raft"
)

// readArchive checks every sum, and tells what meta.json says and how large the state is.
func readArchive(path string) (map[string]any, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for archive := tar.NewReader(plain); ; {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if files[header.Name], err = io.ReadAll(archive); err != nil {
			return nil, err
		}
	}
	// Nothing may follow, no zeros either: Nomad refuses an archive whose stream is not at its end.
	if rest, err := io.ReadAll(plain); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("behind the archive: %d bytes, %v", len(rest), err)
	}
	sums := 0
	for _, line := range strings.Split(strings.TrimSpace(string(files["SHA256SUMS"])), "\n") {
		fields := strings.Fields(line)
		sum := sha256.Sum256(files[fields[1]])
		if hex.EncodeToString(sum[:]) != fields[0] {
			return nil, fmt.Errorf("hash check failed for %q", fields[1])
		}
		sums++
	}
	var meta raft.SnapshotMeta
	decoder := json.NewDecoder(bytes.NewReader(files["meta.json"]))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&meta); err != nil {
		return nil, err
	}
	return map[string]any{"meta": meta, "files": len(files), "sums": sums,
		"state": hex.EncodeToString(files["state.bin"])}, nil
}

// writeArchive makes one of a state, as Nomad's snapshot package does.
func writeArchive(path string, state []byte) error {
	meta := raft.SnapshotMeta{Version: 1, ID: "3-21-1764061386000", Index: 21, Term: 3,
		Size: int64(len(state)), ConfigurationIndex: 1,
		Configuration: raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "127.0.0.1:4647"}}}}
	head, err := json.Marshal(&meta)
	if err != nil {
		return err
	}
	var sums bytes.Buffer
	fmt.Fprintf(&sums, "%x  meta.json\n%x  state.bin\n", sha256.Sum256(head), sha256.Sum256(state))
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	packed := gzip.NewWriter(file)
	archive := tar.NewWriter(packed)
	for _, one := range []struct {
		name string
		data []byte
	}{{"meta.json", head}, {"state.bin", state}, {"SHA256SUMS", sums.Bytes()}} {
		header := &tar.Header{Name: one.name, Mode: 0600, Size: int64(len(one.data)), ModTime: time.Now()}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(one.data); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	if err := packed.Close(); err != nil {
		return err
	}
	return file.Close()
}
