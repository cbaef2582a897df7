package data

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// TestTokenizerPeer compares token ids and speed on real rows with Hugging Face's tokenizers. Set BFPO_PEER_PYTHON to
// a Python that has the package tokenizers, and run with -v for the figures: medians of three rounds, which alternate
// between the programs, each with a newly loaded tokenizer.
func TestTokenizerPeer(t *testing.T) {
	python := os.Getenv("BFPO_PEER_PYTHON")
	if python == "" {
		t.Skip("BFPO_PEER_PYTHON names no Python with the package tokenizers")
	}
	for name, model := range map[string]string{
		"mistral": fixture.Mistral(t),
		"smollm2": fixture.SmolLM2(t),
	} {
		t.Run(name, func(t *testing.T) {
			checkpoint, err := pretrained.Open(model)
			if err != nil {
				t.Fatal(err)
			}
			defer checkpoint.Close()
			comparePeer(t, python, checkpoint)
		})
	}
}

// comparePeer encodes the same texts here and in Python, and logs the times.
func comparePeer(t *testing.T, python string, checkpoint *pretrained.Model) {
	texts := peerTexts(t, checkpoint)
	dir := t.TempDir()
	tokenizerJSON, err := checkpoint.ReadFile("tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"tokenizer.json": tokenizerJSON, "texts.json": rows} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	size := 0
	for _, text := range texts {
		size += len(text)
	}
	var ours, theirs, fast []float64
	for range 3 {
		own := encodeAll(t, checkpoint, texts)
		peer := runPeer(t, python, dir)
		if own.SHA256 != peer.SHA256 || own.Tokens != peer.Tokens {
			t.Fatalf("ids differ: %d tokens (%s), the peer's %d (%s)", own.Tokens, own.SHA256, peer.Tokens, peer.SHA256)
		}
		ours, theirs, fast = append(ours, own.Seconds), append(theirs, peer.Seconds), append(fast, peer.FastSeconds)
	}
	tokens := encodeAll(t, checkpoint, texts).Tokens
	report := func(name string, seconds []float64) float64 {
		slices.Sort(seconds)
		median := seconds[1]
		t.Logf("%-18s %.3f s (%.3f to %.3f): %.1f MB/s, %.2f million tokens/s", name, median, seconds[0], seconds[2],
			float64(size)/1e6/median, float64(tokens)/1e6/median)
		return median
	}
	t.Logf("%d texts, %.1f MB, %d tokens, %d cores, ids equal",
		len(texts), float64(size)/1e6, tokens, runtime.GOMAXPROCS(0))
	own := report("bfpo", ours)
	t.Logf("ratio to encode_batch %.2f, to encode_batch_fast %.2f",
		report("encode_batch", theirs)/own, report("encode_batch_fast", fast)/own)
}

// peerTexts returns the texts of three real sets as a training stage tokenises them.
func peerTexts(t *testing.T, checkpoint *pretrained.Model) (texts []string) {
	t.Helper()
	tokenizer, err := models.NewChatTokenizer(t.Context(), checkpoint, recipe.Config{})
	if err != nil {
		t.Fatal(err)
	}
	format := datasets.TextFormat{Tokenizer: tokenizer.Tokenizer, Template: tokenizer.Template}
	base := fixture.Shared(t, "data")
	for _, set := range []string{"pku_saferlhf", "ultrafeedback_binarized"} {
		m := datasets.Mixture{Sets: []datasets.MixtureSet{{Name: set, Fraction: 1}}, Split: "train_prefs", BaseFolder: base}
		rows, _, err := m.ReadPreferences(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			prompt, chosen, rejected, err := format.RenderPreference(t.Context(), row)
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, prompt+chosen, prompt+rejected)
		}
	}
	m := datasets.Mixture{
		Sets:       []datasets.MixtureSet{{Name: "ultrachat_200k", Fraction: 1}},
		Split:      "train_sft",
		BaseFolder: base,
	}
	dialogues, _, err := m.ReadDialogues(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dialogues {
		text, err := tokenizer.Template.Render(t.Context(), chat.Dialogue{Messages: d.Messages})
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	return texts
}

// peerResult is the result of one round. The Python script prints it as JSON.
type peerResult struct {
	Seconds     float64
	FastSeconds float64 // encode_batch_fast, which does not compute the tokens' offsets in the text; nor does bfpo
	Tokens      int
	SHA256      string // hash of the ids of all rows as little-endian int32, with -1 after each row
}

func encodeAll(t *testing.T, checkpoint *pretrained.Model, texts []string) (r peerResult) {
	tokenizer, err := tokenizer.New(checkpoint.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	rows := make([][]int32, len(texts))
	runtime.GC()
	start := time.Now()
	var next atomic.Int64
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(texts); i = next.Add(1) - 1 {
				rows[i] = tokenizer.Encode(texts[i], false)
			}
		})
	}
	group.Wait()
	r.Seconds = time.Since(start).Seconds()
	sum := sha256.New()
	for _, ids := range rows {
		r.Tokens += len(ids)
		if err := binary.Write(sum, binary.LittleEndian, append(ids, -1)); err != nil {
			t.Fatal(err)
		}
	}
	r.SHA256 = fmt.Sprintf("%x", sum.Sum(nil))
	return r
}

func runPeer(t *testing.T, python, dir string) (r peerResult) {
	t.Helper()
	command := exec.Command(python, filepath.Join("testdata", "peer_tokenizers.py"), dir)
	threads := fmt.Sprintf("RAYON_NUM_THREADS=%d", runtime.GOMAXPROCS(0))
	command.Env = append(os.Environ(), threads, "TOKENIZERS_PARALLELISM=true")
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	return r
}
