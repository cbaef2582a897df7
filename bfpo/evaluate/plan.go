package evaluate

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
)

// Plan is an evaluation ready to run: the encoded documents of its tasks, and the chunks to compute one after another.
type Plan struct {
	tasks  []plannedTask
	chunks []chunk
}

// plannedTask is a task with its documents.
type plannedTask struct {
	task.Task
	documents     []task.Document
	encoded       []encodedDocument // of each document
	continuations [][]string        // of each document, as they are scored
	rows          int               // in the data, of which documents are the first
	templated     bool              // a chat template is applied to the contexts
}

// place locates a document in a plan.
type place struct{ task, document int }

// chunk is a group of documents that are computed and journaled together. Only the plan decides which documents share a
// chunk, so a resumed evaluation computes exactly what an uninterrupted one does.
type chunk struct {
	places   []place
	generate bool
	tokens   int // cost of the chunk, for the estimate of the remaining time
}

const (
	// chunkTokens is the target size of a chunk of multiple-choice documents. It fills several batches, and an
	// interruption loses little.
	chunkTokens = 16384
	// shortContext is the length in tokens below which contexts are not sorted by length, since the scorer packs short
	// and long ones together.
	shortContext = 256
	// chunkPrompts is the number of prompts in a chunk of generation tasks.
	chunkPrompts = 32
	// generatedTokenCost is the number of scored tokens that take about as long as one generated token.
	generatedTokenCost = 8
)

// NewPlan reads and encodes the first limit documents of each task; a limit of 0 takes all of them.
func NewPlan(ctx context.Context, tasks []task.Task, data task.Data, e Encoder, limit int) (*Plan, error) {
	p := &Plan{}
	for _, t := range tasks {
		documents, rows, err := data.Documents(ctx, t, limit)
		if err != nil {
			return nil, err
		}
		e := e
		if t.ApplyChatTemplate {
			e.Template = e.TaskTemplate
		}
		planned := plannedTask{Task: t, documents: documents, rows: rows, templated: e.Template != nil}
		for _, d := range documents {
			encoded, err := e.encodeDocument(ctx, t, d)
			if err != nil {
				return nil, fmt.Errorf("task %s: document %d: %w", t.Name, d.ID, err)
			}
			planned.encoded = append(planned.encoded, encoded)
			planned.continuations = append(planned.continuations, e.continuations(t, d))
		}
		p.tasks = append(p.tasks, planned)
	}
	p.chunks = append(p.scoringChunks(), p.generationChunks()...)
	return p, nil
}

// scoringChunks groups the multiple-choice documents of all tasks. Long contexts come first, and contexts with a common
// prefix are neighbours, so that their documents land in one chunk and share the prefix's computation.
func (p *Plan) scoringChunks() []chunk {
	var all []place
	for i, t := range p.tasks {
		for j := range t.documents {
			if t.Output == task.MultipleChoice {
				all = append(all, place{i, j})
			}
		}
	}
	context := func(at place) []int32 { return p.tasks[at.task].encoded[at.document].sequences[0].PromptIDs }
	slices.SortStableFunc(all, func(a, b place) int {
		longerFirst := cmp.Compare(len(context(b))/shortContext, len(context(a))/shortContext)
		return cmp.Or(longerFirst, slices.Compare(context(a), context(b)))
	})
	documents, total := make([]chunkDocument, len(all)), 0
	for i, at := range all {
		repeated := i > 0 && slices.Equal(context(at), context(all[i-1]))
		documents[i] = chunkDocument{at, repeated, p.tasks[at.task].encoded[at.document].cost(repeated)}
		total += documents[i].tokens
	}
	return evenChunks(documents, total)
}

// chunkDocument is a document to be put into a chunk.
type chunkDocument struct {
	place
	repeated bool // its context is the previous document's
	tokens   int  // its cost
}

// evenChunks splits documents into the smallest number of chunks of about chunkTokens. All chunks have about the
// same size, because a small last one would need programs of a different shape. Documents with the same context
// stay together.
func evenChunks(documents []chunkDocument, total int) []chunk {
	number := (total + chunkTokens - 1) / chunkTokens
	var chunks []chunk
	before := 0
	for _, d := range documents {
		if !d.repeated && before*number >= len(chunks)*total {
			chunks = append(chunks, chunk{})
		}
		last := &chunks[len(chunks)-1]
		last.places = append(last.places, d.place)
		last.tokens += d.tokens
		before += d.tokens
	}
	return chunks
}

// cost counts the tokens to compute for a document's scores. A context that several choices share, or that the previous
// document had (repeated), counts once.
func (e encodedDocument) cost(repeated bool) (n int) {
	for i, s := range e.sequences {
		if i == 0 && !repeated || i > 0 && !slices.Equal(s.PromptIDs, e.sequences[i-1].PromptIDs) {
			n += len(s.PromptIDs)
		}
		n += len(s.ResponseIDs)
	}
	return n
}

// generationChunks groups prompts in the order of their rows, so that a prompt's random numbers do not depend on the
// number of prompts.
func (p *Plan) generationChunks() []chunk {
	var chunks []chunk
	for i, t := range p.tasks {
		if t.Output != task.GenerateUntil {
			continue
		}
		for j, e := range t.encoded {
			if j%chunkPrompts == 0 {
				chunks = append(chunks, chunk{generate: true})
			}
			last := &chunks[len(chunks)-1]
			last.places = append(last.places, place{i, j})
			last.tokens += len(e.prompt) + generatedTokenCost*t.Generation.MaxTokens
		}
	}
	return chunks
}

// countDocuments counts the documents of all tasks.
func (p *Plan) countDocuments() int {
	n := 0
	for _, t := range p.tasks {
		n += len(t.documents)
	}
	return n
}

// digest identifies the computation of a task: it changes with the task, its rows, the tokenizer, the template and the
// limit.
func (t plannedTask) digest() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %s %d %v %+v\n", t.Name, t.Version, t.Output, t.rows, t.templated, t.Generation)
	for _, m := range t.Metrics {
		fmt.Fprintln(h, m.Kind, m.Name)
	}
	for i, d := range t.documents {
		fmt.Fprintf(h, "%d %v %q %q %q %q\n", d.Gold, d.Labels, d.Choices, d.Target, d.Correct, d.Incorrect)
		for _, s := range t.encoded[i].sequences {
			hashIDs(h, s.PromptIDs)
			hashIDs(h, s.ResponseIDs)
		}
		hashIDs(h, t.encoded[i].prompt)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// chunksDigest identifies the division into chunks: another version of the program may divide the documents otherwise.
func (p *Plan) chunksDigest() string {
	sum := sha256.Sum256(fmt.Append(nil, p.chunks))
	return hex.EncodeToString(sum[:])
}

func hashIDs(h hash.Hash, ids []int32) {
	text := binary.LittleEndian.AppendUint32(nil, uint32(len(ids)))
	for _, id := range ids {
		text = binary.LittleEndian.AppendUint32(text, uint32(id))
	}
	h.Write(text)
}
