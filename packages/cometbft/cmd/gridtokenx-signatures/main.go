// Command gridtokenx-signatures judges Ed25519 signatures by the rules of ZIP-215, many at a time.
//
// It reads frames and answers each with a frame, until its input ends. A frame is its length and its content; all
// numbers have four bytes, the highest first. Content of what it reads: how many signatures there are (512 at most),
// the length of each one's message, then all public keys (32 bytes each), all signatures (64 bytes each) and all
// messages. Content of what it answers: a byte for each signature, in order: 1 if it is valid, else 0.
//
// What is no such frame ends it, with the reason on its error output and exit code 1.
package main

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

const (
	numberBytes    = 4
	keyBytes       = ed25519.PublicKeySize
	signatureBytes = ed25519.SignatureSize

	// frameBytesMax bounds what a length can make it hold.
	frameBytesMax = 16 << 20

	// countMax is how many signatures make a frame, and share one equation. More would save little; and where one is
	// false, all that share its equation are judged again, one by one.
	countMax = 512
)

var (
	// zip215 takes points of small order and points that are not canonical, and multiplies by the cofactor.
	zip215 = &ed25519.Options{Verify: ed25519.VerifyOptionsZIP_215}

	errMalformed = errors.New("the numbers in a frame are too large, or do not fit its length")
)

func main() {
	// Who starts it decides how many of them there are, one for each core to use.
	runtime.GOMAXPROCS(1)
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gridtokenx-signatures:", err)
		os.Exit(1)
	}
}

// serve answers frames until the input ends between two of them.
func serve(input io.Reader, output io.Writer) error {
	batch := ed25519.NewBatchVerifierWithCapacity(countMax)
	var length [numberBytes]byte
	var content, answer []byte
	for {
		if _, err := io.ReadFull(input, length[:]); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		size := int(binary.BigEndian.Uint32(length[:]))
		if size > frameBytesMax {
			return fmt.Errorf("a frame of %d bytes, more than %d", size, frameBytesMax)
		}
		if cap(content) < size {
			content = make([]byte, size)
		}
		content = content[:size]
		if _, err := io.ReadFull(input, content); err != nil {
			return err
		}
		given, err := parse(content)
		if err != nil {
			return err
		}
		answer = binary.BigEndian.AppendUint32(answer[:0], uint32(given.count))
		answer = given.judge(batch, answer)
		if _, err := output.Write(answer); err != nil {
			return err
		}
	}
}

// parts of a frame: slices of its content.
type parts struct {
	count                               int
	lengths, keys, signatures, messages []byte
}

// parse finds the parts, and makes sure that their lengths are right.
func parse(content []byte) (parts, error) {
	if len(content) < numberBytes {
		return parts{}, errMalformed
	}
	count, rest := int(binary.BigEndian.Uint32(content)), content[numberBytes:]
	if count > countMax || count > len(rest)/(numberBytes+keyBytes+signatureBytes) {
		return parts{}, errMalformed
	}
	found := parts{count: count}
	found.lengths, rest = rest[:count*numberBytes], rest[count*numberBytes:]
	found.keys, rest = rest[:count*keyBytes], rest[count*keyBytes:]
	found.signatures, found.messages = rest[:count*signatureBytes], rest[count*signatureBytes:]
	total := 0
	for i := range count {
		total += found.length(i)
	}
	if total != len(found.messages) {
		return parts{}, errMalformed
	}
	return found, nil
}

// length is that of the i-th message.
func (p *parts) length(i int) int {
	return int(binary.BigEndian.Uint32(p.lengths[i*numberBytes:]))
}

// judge appends a byte for each signature to the answer. The batch is one to use again.
func (p *parts) judge(batch *ed25519.BatchVerifier, answer []byte) []byte {
	// To expand keys pays where there are less than a hundred signatures, or the same keys come again and again.
	batch.Reset().ForceNoPublicKeyExpansion()
	messages := p.messages
	for i := range p.count {
		key := p.keys[i*keyBytes : (i+1)*keyBytes]
		signature := p.signatures[i*signatureBytes : (i+1)*signatureBytes]
		batch.AddWithOptions(key, messages[:p.length(i)], signature, zip215)
		messages = messages[p.length(i):]
	}
	_, valid := batch.Verify(rand.Reader)
	for _, one := range valid {
		verdict := byte(0)
		if one {
			verdict = 1
		}
		answer = append(answer, verdict)
	}
	return answer
}
