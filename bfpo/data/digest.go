package data

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/zeebo/xxh3"

	"github.com/bfpo-go/bfpo/datasets/batch"
)

// Digest returns the 128-bit XXH3 of everything in the rows that training reads, in their order: token ids, lengths of
// prompts, safety labels and the starts of packed documents. Row ids, which hold paths, are left out.
func (s Set) Digest() string {
	h := xxh3.New()
	var buffer []byte
	number := func(n int) { buffer = binary.LittleEndian.AppendUint64(buffer, uint64(n)) }
	flush := func(ids []int32) {
		number(len(ids))
		for _, id := range ids {
			buffer = binary.LittleEndian.AppendUint32(buffer, uint32(id))
		}
		h.Write(buffer)
		buffer = buffer[:0]
	}
	label := func(safe bool) {
		if safe {
			buffer = append(buffer, 1)
		} else {
			buffer = append(buffer, 0)
		}
	}
	number(len(s.Pairs))
	for _, p := range s.Pairs {
		label(p.ChosenSafe)
		label(p.RejectedSafe)
		for _, sequence := range []batch.Sequence{p.Chosen, p.Rejected} {
			number(sequence.PromptLength)
			flush(sequence.IDs)
		}
	}
	number(len(s.Documents))
	for _, d := range s.Documents {
		number(len(d.Starts))
		for _, start := range d.Starts {
			number(start)
		}
		flush(d.IDs)
	}
	h.Write(buffer)
	sum := h.Sum128().Bytes()
	return hex.EncodeToString(sum[:])
}
