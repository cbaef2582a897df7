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

// Plan is an evaluation that can be run: the documents of its tasks in tokens, and the chunks that are computed one after the other.
type Plan struct {
	tasks  []planned
	chunks []chunk
}

// planned is one task.
type planned struct {
	task.Task
	documents []task.Document
	encoded   []encoded
	total     int // rows there are, of which documents are the first
	chat      bool
	scored    []([]string) // continuations as they are scored
}

// place is one document of a plan.
type place struct{ task, document int }

// chunk is what is computed together and then written down. How documents are put into chunks depends on nothing but the plan, so a
// resumed evaluation computes what an uninterrupted one does.
type chunk struct {
	places   []place
	generate bool
	tokens   int // cost of the chunk, for the time left
}

const (
	// chunkTokens is the size of a chunk of scored documents: enough to fill some batches, little enough to lose.
	chunkTokens = 16384
	// shortContext bounds the contexts that are not sorted by length: the scorer packs short and long ones together.
	shortContext = 256
	// chunkPrompts is the size of a chunk of prompts, which are answered some at a time.
	chunkPrompts = 32
)

// NewPlan reads and encodes the documents of tasks, of each the first limit (0 = all).
func NewPlan(ctx context.Context, tasks []task.Task, data task.Data, e Encoder, limit int) (*Plan, error) {
	p := &Plan{}
	for _, t := range tasks {
		documents, total, err := data.Documents(ctx, t, limit)
		if err != nil {
			return nil, err
		}
		e := e
		if t.ApplyChatTemplate {
			e.Template = e.TaskTemplate
		}
		one := planned{Task: t, documents: documents, total: total, chat: e.Template != nil}
		for _, d := range documents {
			enc, err := e.document(t, d)
			if err != nil {
				return nil, fmt.Errorf("task %s: document %d: %w", t.Name, d.ID, err)
			}
			one.encoded = append(one.encoded, enc)
			one.scored = append(one.scored, e.continuations(t, d))
		}
		p.tasks = append(p.tasks, one)
	}
	p.chunks = append(p.scoredChunks(), p.generatedChunks()...)
	return p, nil
}

// scoredChunks groups the multiple-choice documents of all tasks, those with long contexts first, such that documents whose contexts begin
// alike are in the same chunk, where they share its computation.
func (p *Plan) scoredChunks() []chunk {
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
		return cmp.Or(cmp.Compare(len(context(b))/shortContext, len(context(a))/shortContext), slices.Compare(context(a), context(b)))
	})
	documents, total := make([]chunkDocument, len(all)), 0
	for i, at := range all {
		known := i > 0 && slices.Equal(context(at), context(all[i-1]))
		documents[i] = chunkDocument{at, known, p.tasks[at.task].encoded[at.document].cost(known)}
		total += documents[i].tokens
	}
	return evenChunks(documents, total)
}

// chunkDocument is a document to be put into a chunk; known says that it has the context of the one before.
type chunkDocument struct {
	place
	known  bool
	tokens int
}

// evenChunks cuts documents into as few chunks of about chunkTokens as can be, all of about the same size: a small last one would need
// programs of its own. Documents of one context stay together.
func evenChunks(documents []chunkDocument, total int) []chunk {
	number := (total + chunkTokens - 1) / chunkTokens
	var chunks []chunk
	before := 0
	for _, d := range documents {
		if !d.known && before*number >= len(chunks)*total {
			chunks = append(chunks, chunk{})
		}
		last := &chunks[len(chunks)-1]
		last.places = append(last.places, d.place)
		last.tokens += d.tokens
		before += d.tokens
	}
	return chunks
}

// cost is how many tokens a document takes to score: a context that several choices have in common, or that was just before, counts once.
func (e encoded) cost(known bool) (n int) {
	for i, s := range e.sequences {
		if i == 0 && !known || i > 0 && !slices.Equal(s.PromptIDs, e.sequences[i-1].PromptIDs) {
			n += len(s.PromptIDs)
		}
		n += len(s.ResponseIDs)
	}
	return n
}

// generatedChunks groups prompts in the order of their rows, so that a prompt's random numbers do not depend on how many there are.
func (p *Plan) generatedChunks() []chunk {
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
			last.tokens += len(e.prompt) + generatedCost*t.Generation.MaxTokens
		}
	}
	return chunks
}

// generatedCost is how many scored tokens take as long as a generated one, roughly.
const generatedCost = 8

// documents counts the documents of all tasks.
func (p *Plan) count() int {
	n := 0
	for _, t := range p.tasks {
		n += len(t.documents)
	}
	return n
}

// Digest names what the plan computes: it changes with the tasks, their rows, the tokenizer, the template, the limit and the chunks.
func (p *Plan) Digest() string {
	h := sha256.New()
	for _, t := range p.tasks {
		fmt.Fprintf(h, "%s %s %s %d %v %+v\n", t.Name, t.Version, t.Output, t.total, t.chat, t.Generation)
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
	}
	fmt.Fprintln(h, p.chunks) // which another version may cut otherwise
	return hex.EncodeToString(h.Sum(nil))
}

func hashIDs(h hash.Hash, ids []int32) {
	text := binary.LittleEndian.AppendUint32(nil, uint32(len(ids)))
	for _, id := range ids {
		text = binary.LittleEndian.AppendUint32(text, uint32(id))
	}
	h.Write(text)
}
