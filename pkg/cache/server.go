package cache

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

const (
	// sameServer is the part of a name by which a cluster chooses the server.
	sameServer = "{epochs}"
	// markerName holds the last message about a flush, whatever key has sealed it.
	markerName = namespace + "v2:" + sameServer + ":flushed"
	// maxMarker is how much of it is asked for. A message has 80 bytes.
	maxMarker = 256
	// notText stands for what is stored and is not text. It opens as nothing.
	notText = "-"
)

// everything is the flush scope of all entries. Its epoch is begun anew when it is unknown what was flushed.
var everything = sha256.Sum256([]byte("portcullis: everything"))

var errNoRun = errors.New("the server does not say which run it is in")

// reply is the answer of the server that holds the epochs to one round trip, and so in one run of it.
type reply struct {
	run run
	// marker is the last message about a flush; empty for none.
	marker string
	// epochs are as they are stored; empty for an epoch that is missing.
	epochs []string
	// value is empty if there is none.
	value string
}

// ask asks for the epochs of scopes, and for the value under a name unless that is empty.
//
// INFO goes with each question. A run that was asked for once would outlive the server's restart for as long as a connection
// takes to notice, or without end when a server is made a replica and a master again.
func (s *Shared) ask(ctx context.Context, scopes [][32]byte, name string) (r reply, err error) {
	node, err := s.node(ctx)
	if err != nil {
		return r, err
	}
	var server, replication, marker, value *redis.StringCmd
	epochs := make([]*redis.StringCmd, len(scopes))
	_, _ = node.Pipelined(ctx, func(p redis.Pipeliner) error { // each command has its own error
		server, replication = p.Info(ctx, "server"), p.Info(ctx, "replication")
		marker = p.GetRange(ctx, markerName, 0, maxMarker)
		for i, scope := range scopes {
			epochs[i] = p.GetRange(ctx, s.seal.epochName(scope), 0, maxStored)
		}
		if name != "" && !s.cluster {
			value = p.GetRange(ctx, name, 0, maxStored)
		}
		return nil
	})
	if name != "" && s.cluster {
		value = s.client.GetRange(ctx, name, 0, maxStored)
	}
	text := textsOf(&err)
	info := text(server) + "\n" + text(replication)
	r.marker = text(marker)
	for _, e := range epochs {
		r.epochs = append(r.epochs, text(e))
	}
	if value != nil {
		r.value = text(value)
	}
	if err == nil {
		r.run, err = runOf(info)
	}
	return r, err
}

// node is the server that holds the epochs.
func (s *Shared) node(ctx context.Context) (redis.Cmdable, error) {
	if c, ok := s.client.(*redis.ClusterClient); ok {
		return c.MasterForKey(ctx, markerName)
	}
	return s.client, nil
}

// textsOf returns what reads the texts of replies, and keeps the first error. What is not text is an error of no command: it is
// somebody's writing, which is refused and written over.
func textsOf(first *error) func(*redis.StringCmd) string {
	return func(c *redis.StringCmd) string {
		text, err := c.Result()
		switch {
		case err == nil:
		case strings.HasPrefix(err.Error(), "WRONGTYPE"):
			return notText
		case *first == nil:
			*first = err
		}
		return text
	}
}

// runOf reads a server's INFO. The run id changes with each start, the replication id when a replica becomes the master.
func runOf(info string) (run, error) {
	var id, replication string
	for line := range strings.Lines(info) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), ":"); name {
		case "run_id":
			id = value
		case "master_replid":
			replication = value
		}
	}
	if id == "" || replication == "" {
		return run{}, errNoRun
	}
	return sha256.Sum256([]byte(id + ":" + replication)), nil
}

// refusals are the server's errors by their first word, with what to do about them. The rest of an error may repeat what the
// server was sent.
var refusals = map[string]string{
	"NOPERM":    "its user lacks a right, pkg/lambda/README.md lists them",
	"NOAUTH":    "it asks for a password",
	"WRONGPASS": "the user name or the password is wrong",
	"READONLY":  "it is a replica",
	"LOADING":   "it is still loading its data",
	"OOM":       "it has no memory left",
	"MISCONF":   "it cannot write its data to its disk",
}

// withoutAddress is the kind of an error. A server's own error text may repeat what it was sent.
func withoutAddress(err error) string {
	var server redis.Error
	switch {
	case errors.Is(err, errNoRun):
		return err.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &server):
		code, _, _ := strings.Cut(err.Error(), " ")
		if advice, ok := refusals[code]; ok {
			return "the server refuses the command (" + code + "): " + advice
		}
		return "the server refuses the command"
	default:
		return "no connection"
	}
}
