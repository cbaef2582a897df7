package data

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph/filecache"
	"github.com/bfpo-go/bfpo/graph/wheel"
)

// rowsMagic begins the files of tokenised rows. Raise its number when the layout of an entry changes, or the rows that datasets makes
// of the same input: TestRowsMagic tells.
const rowsMagic = "bfpo tokenised rows 1\n"

// rowsLimit is what tokenised rows may take on disk.
const rowsLimit = 4 << 30

// rowCache keeps tokenised sets in the folder rows of the cache folder.
type rowCache struct{ *filecache.Cache }

// newRowCache returns the cache in a folder, or, where dir is empty, in the user's cache folder (see wheel.CacheDir). Without any such
// folder nothing is kept.
func newRowCache(dir string) rowCache {
	dir, err := wheel.CacheDir(dir)
	if err != nil {
		return rowCache{&filecache.Cache{}}
	}
	return rowCache{&filecache.Cache{Dir: filepath.Join(dir, "rows"), Magic: rowsMagic, Suffix: ".rows", Limit: rowsLimit}}
}

// rowsKey names the rows of a mixture by everything that they depend on.
func rowsKey(m datasets.OpenMixture, supervised bool, format datasets.TextFormat, l models.Language) (string, error) {
	data, err := m.Digest()
	if err != nil {
		return "", err
	}
	format.Tokenizer, format.Template = nil, nil // their files follow
	text := fmt.Sprintf("%t %+v", supervised, format)
	return filecache.Key([]byte(rowsMagic), data, []byte(text), l.Digest(), []byte(l.Source)), nil
}

// load returns the set that an earlier run made of the same input. An entry that cannot be used is removed.
func (c rowCache) load(key string) (Set, bool) {
	data, ok := c.Get(key)
	if !ok {
		return Set{}, false
	}
	s, err := unpackSet(data)
	if err != nil {
		c.Remove(key)
	}
	return s, err == nil
}

// store keeps a set. It returns no error: a full or read-only disk costs the next start time and nothing else.
func (c rowCache) store(key string, s Set) {
	if data, err := packSet(s).bytes(); err == nil {
		_ = c.Put(key, data)
	}
}

// packedSet is a set as it lies on disk, with all token ids in one stretch.
type packedSet struct {
	Counts  []datasets.PartCount
	Drops   []Drop
	IDs     []string // of the rows
	Lengths []int    // in tokens: of chosen and rejected in turn, or of packed documents
	Prompts []int    // pairs: likewise
	Safe    []bool   // pairs: likewise
	Starts  [][]int  // packed documents
	Tokens  int      // sum of Lengths
	Varints []byte   // the token ids
}

func packSet(s Set) packedSet {
	p := packedSet{Counts: s.Counts, Drops: s.Drops}
	add := func(ids []int32) {
		p.Lengths = append(p.Lengths, len(ids))
		p.Tokens += len(ids)
		for _, id := range ids {
			p.Varints = binary.AppendUvarint(p.Varints, uint64(id))
		}
	}
	for _, pair := range s.Pairs {
		p.IDs = append(p.IDs, pair.ID)
		p.Prompts = append(p.Prompts, pair.Chosen.Prompt, pair.Rejected.Prompt)
		p.Safe = append(p.Safe, pair.ChosenSafe, pair.RejectedSafe)
		add(pair.Chosen.IDs)
		add(pair.Rejected.IDs)
	}
	for _, d := range s.Documents {
		p.IDs = append(p.IDs, d.ID)
		p.Starts = append(p.Starts, d.Starts)
		add(d.IDs)
	}
	return p
}

func (p packedSet) bytes() ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(p)
	return b.Bytes(), err
}

func unpackSet(data []byte) (s Set, err error) {
	var p packedSet
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&p); err != nil {
		return s, err
	}
	pairs := len(p.Prompts) > 0
	if pairs && (len(p.Prompts) != 2*len(p.IDs) || len(p.Safe) != 2*len(p.IDs) || len(p.Lengths) != 2*len(p.IDs)) ||
		!pairs && (len(p.Starts) != len(p.IDs) || len(p.Lengths) != len(p.IDs)) {
		return s, errors.New("rows: the parts do not fit together")
	}
	sequences, err := p.sequences()
	if err != nil {
		return s, err
	}
	s.Counts, s.Drops = p.Counts, p.Drops
	for i, id := range p.IDs {
		if !pairs {
			s.Documents = append(s.Documents, batch.Document{ID: id, IDs: sequences[i], Starts: p.Starts[i]})
			continue
		}
		c, r := 2*i, 2*i+1
		s.Pairs = append(s.Pairs, batch.Pair{
			ID:         id,
			Chosen:     batch.Sequence{IDs: sequences[c], Prompt: p.Prompts[c]},
			Rejected:   batch.Sequence{IDs: sequences[r], Prompt: p.Prompts[r]},
			ChosenSafe: p.Safe[c], RejectedSafe: p.Safe[r],
		})
	}
	return s, nil
}

// sequences cuts the stretch of token ids into its rows.
func (p packedSet) sequences() ([][]int32, error) {
	if p.Tokens < 0 || p.Tokens > len(p.Varints) {
		return nil, errors.New("rows: fewer bytes than token ids")
	}
	ids := make([]int32, p.Tokens)
	rest := p.Varints
	for i := range ids {
		id, n := binary.Uvarint(rest)
		if n <= 0 {
			return nil, errors.New("rows: a token id is cut short")
		}
		ids[i], rest = int32(id), rest[n:]
	}
	out := make([][]int32, len(p.Lengths))
	for i, n := range p.Lengths {
		if n < 0 || n > len(ids) {
			return nil, errors.New("rows: fewer token ids than the rows have")
		}
		out[i], ids = ids[:n:n], ids[n:]
	}
	return out, nil
}
