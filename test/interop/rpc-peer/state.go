// Calls of a client agent and of an operator's agent: any method with a body from JSON, and the two
// streaming methods for snapshots, as Nomad's code makes them.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

type snapshotReply struct {
	SnapshotChecksum string
	ErrorCode        int    `codec:",omitempty"`
	ErrorMsg         string `codec:",omitempty"`
	Index            uint64
	KnownLeader      bool
	LastContact      time.Duration
	NextToken        string
}

type writeRequest struct {
	Region, Namespace, AuthToken, IdempotencyToken string
	Forwarded                                      bool
}

// send makes a call whose body is the JSON, key by key. Numbers would become floats: there are none.
func send(method, body string) {
	var args map[string]any
	if err := json.Unmarshal([]byte(body), &args); err != nil {
		fail(err)
		return
	}
	roundTrip(method, args)
}

// begin opens a stream for a method and hears whether it is there.
func begin(method string) (io.ReadWriteCloser, *bufio.Reader, error) {
	stream, err := openStream(5)
	if err != nil {
		return nil, nil, err
	}
	stream.SetDeadline(time.Now().Add(10 * time.Second))
	// What is behind a value must not be lost in the decoder's buffer.
	reader := bufio.NewReader(stream)
	codec.NewEncoder(stream, handle).Encode(streamHeader{Method: method})
	var ack streamAck
	if err := codec.NewDecoder(reader, handle).Decode(&ack); err != nil {
		return nil, nil, err
	}
	if ack.Error != "" {
		return nil, nil, &streamError{ack.Error}
	}
	return stream, reader, nil
}

type streamError struct{ text string }

func (e *streamError) Error() string { return e.text }

func snapshotSave(path string) {
	stream, reader, err := begin("Operator.SnapshotSave")
	if err != nil {
		fail(err)
		return
	}
	defer stream.Close()
	codec.NewEncoder(stream, handle).Encode(Options{Region: region})
	var reply snapshotReply
	if err := codec.NewDecoder(reader, handle).Decode(&reply); err != nil {
		fail(err)
		return
	}
	if reply.ErrorMsg != "" {
		say(map[string]any{"error": reply.ErrorMsg, "code": reply.ErrorCode})
		return
	}
	archive, err := io.ReadAll(reader)
	if err == nil {
		err = os.WriteFile(path, archive, 0o600)
	}
	if err != nil {
		fail(err)
		return
	}
	sum := sha256.Sum256(archive)
	say(map[string]any{
		"index": reply.Index, "leader": reply.KnownLeader, "bytes": len(archive),
		"whole": reply.SnapshotChecksum == "sha-256="+base64.StdEncoding.EncodeToString(sum[:]),
	})
}

func snapshotRestore(path string) {
	archive, err := os.ReadFile(path)
	if err != nil {
		fail(err)
		return
	}
	stream, reader, err := begin("Operator.SnapshotRestore")
	if err != nil {
		fail(err)
		return
	}
	defer stream.Close()
	encoder := codec.NewEncoder(stream, handle)
	encoder.Encode(writeRequest{Region: region})
	for len(archive) > 0 {
		piece := archive[:min(len(archive), 1000)]
		archive = archive[len(piece):]
		encoder.Encode(streamFrame{Payload: piece})
	}
	encoder.Encode(streamFrame{Error: &frameError{Message: "EOF"}})
	var reply snapshotReply
	if err := codec.NewDecoder(reader, handle).Decode(&reply); err != nil {
		fail(err)
		return
	}
	say(map[string]any{"index": reply.Index, "error": reply.ErrorMsg, "code": reply.ErrorCode})
}
