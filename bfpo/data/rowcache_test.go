package data

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/runtest"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/graph/fuzztest"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// readTiny reads the sets of a recipe with the tokenizer of the model tiny.
func readTiny(t *testing.T, c recipe.Config, cache string) Sets {
	return setReader(t, "tiny", c)(cache)
}

// setReader reads a model's tokenizer and returns a function that reads the sets of a recipe with it.
func setReader(t *testing.T, model string, c recipe.Config) func(cache string) Sets {
	t.Helper()
	checkpoint, err := pretrained.Open(model)
	if err != nil {
		t.Fatal(err)
	}
	defer checkpoint.Close()
	tokenizer, err := models.NewChatTokenizer(t.Context(), checkpoint, c)
	if err != nil {
		t.Fatal(err)
	}
	return func(cache string) Sets {
		t.Helper()
		data, err := Read(context.Background(), c, checkpoint.Config, tokenizer, &hub.Hub{Offline: true}, cache)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
}

// cacheStages returns a preference stage with a buffer, held-out rows and dropped rows, and a packed supervised stage
// in each text format.
func cacheStages(t *testing.T) map[string]recipe.Config {
	t.Helper()
	sft := func(sets ...string) recipe.Config {
		text := "{model_name_or_path: tiny, dataset_mixer: {quickstart/sft: 0.5}, max_seq_length: 256}"
		recipes := fstest.MapFS{"sft.yaml": {Data: []byte(text)}}
		return must(must(recipe.Load(recipes, "sft", sets)).ForStage("sft"))
	}
	return map[string]recipe.Config{
		"pairs": runtest.Config(t, "dataset_mixer={quickstart/safety: 1}", "max_length=200", "max_prompt_length=100",
			"eval_dataset_mixer={quickstart/helpful: 1}", "evaluation_strategy=epoch"),
		"sft":      sft("packing=true"),
		"sft seed": sft("text_format=seed"),
	}
}

// entries lists the files of the row cache.
func entries(t *testing.T, cache string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(cache, "rows", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Rows from the cache equal freshly tokenised rows, even if files in the cache are damaged.
func TestRowCache(t *testing.T) {
	mine := packSet(Set{Documents: []batch.Document{{ID: "mine", IDs: []int32{1, 2}, Starts: []int{0}}}})
	for name, c := range cacheStages(t) {
		cache := t.TempDir()
		fresh := readTiny(t, c, t.TempDir())
		same := func(what string) {
			t.Helper()
			if data := readTiny(t, c, cache); !reflect.DeepEqual(data, fresh) {
				t.Errorf("%s: %s (-fresh +cached):\n%s", name, what, cmp.Diff(fresh, data))
			}
		}
		same("first time")
		files := entries(t, cache)
		if sets := len(readTiny(t, c, cache).NonEmpty()); len(files) != sets {
			t.Fatalf("%s: %d entries of %d sets", name, len(files), sets)
		}
		same("second time")
		for _, file := range files {
			whole, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			flipped := slices.Clone(whole)
			flipped[len(flipped)/2] ^= 1
			for what, damaged := range map[string][]byte{"a bit flipped": flipped, "cut": whole[:len(whole)-9], "empty": nil} {
				if err := os.WriteFile(file, damaged, 0o600); err != nil {
					t.Fatal(err)
				}
				same(what)
				if again, err := os.ReadFile(file); err != nil || !slices.Equal(again, whole) {
					t.Errorf("%s: %s: the entry was not made again: %v", name, what, err)
				}
			}
		}
		// An intact entry without rows must not be used. One with other rows must be, which shows that the cache is
		// read at all.
		for content, used := range map[string]bool{"nonsense": false, string(must(mine.bytes())): true} {
			for _, file := range files {
				key := strings.TrimSuffix(filepath.Base(file), ".rows")
				if err := must(newRowCache(cache)).Put(key, []byte(content)); err != nil {
					t.Fatal(err)
				}
			}
			if documents := readTiny(t, c, cache).Main.Documents; used != (len(documents) == 1 && documents[0].ID == "mine") {
				t.Errorf("%s: an entry with the content %.20q is used: %t", name, content, !used)
			}
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A change of anything that rows depend on makes a new entry; a change of anything else does not.
func TestRowCacheInputs(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	file := filepath.Join(dir, "train.jsonl")
	write := func(answer string) {
		t.Helper()
		rows := strings.Repeat(`{"prompt": "How are you?", "chosen": "`+answer+`", "rejected": "Go away."}`+"\n", 4)
		if err := os.WriteFile(file, []byte(rows), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("Well!")
	count := 0
	read := func(what string, fresh int, sets ...string) Sets {
		t.Helper()
		mainOnly := []string{"dataset_mixer={" + file + ": 1}", "use_buffer=false", "evaluation_strategy=no", "do_eval=false"}
		data := readTiny(t, runtest.Config(t, append(mainOnly, sets...)...), cache)
		if count += fresh; len(entries(t, cache)) != count {
			t.Errorf("%s: %d entries, want %d", what, len(entries(t, cache)), count)
		}
		return data
	}
	first := read("first", 1)
	read("the same", 0)
	read("another rate", 0, "learning_rate=1")
	read("shorter", 1, "max_length=100", "max_prompt_length=50")
	read("cut on the right", 1, "truncation_side=right")
	read("seed format", 1, "text_format=seed")
	read("not shuffled", 1, "shuffle=false")
	read("other order", 1, "data_seed=7")
	read("half", 1, "dataset_mixer={"+file+": 0.5}")
	read("template", 1, "chat_template='{% for m in messages %}{{ m.content }}{% endfor %}'")
	read("template with the date", 1, "chat_template='{{ strftime_now(\"%Y\") }}'", "chat_template_date=2026-01-02")
	read("another date", 1, "chat_template='{{ strftime_now(\"%Y\") }}'", "chat_template_date=2026-01-03")
	read("the same date", 0, "chat_template='{{ strftime_now(\"%Y\") }}'", "chat_template_date=2026-01-03")
	read("a date that no template reads", 0, "chat_template_date=2026-01-03", "data_seed=7")
	write("Fine!")
	second := read("changed file", 1)
	if cmp.Equal(first.Main.Pairs, second.Main.Pairs) {
		t.Error("the rows of a changed file equal the old rows")
	}
	if err := os.Rename(file, filepath.Join(dir, "other.jsonl")); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "other.jsonl") // row ids contain the file's name
	if id := read("another name", 1).Main.Pairs[0].ID; !strings.HasSuffix(id, "other.jsonl#"+id[len(id)-1:]) {
		t.Errorf("row %s of other.jsonl", id)
	}
}

// A second start with real sets takes less than a second. Run with -v for the figures.
func TestRowCacheStart(t *testing.T) {
	cache := t.TempDir()
	mixer := fmt.Sprintf("{%[1]s/pku_saferlhf: 1, %[1]s/ultrafeedback_binarized: 1}", fixture.Shared(t, "data"))
	c := runtest.Config(t, "dataset_mixer="+mixer, "buffer_dataset_mixer="+mixer, "max_length=1024",
		"max_prompt_length=512", "dataset_splits=[train_prefs, test_prefs]", "buffer_dataset_splits=[train_prefs]",
		"evaluation_strategy=epoch")
	read := setReader(t, fixture.Mistral(t), c)
	begun := time.Now()
	fresh := read(cache)
	t.Logf("%d rows tokenised in %v", fresh.Main.Rows+fresh.HeldOut.Rows, time.Since(begun))
	least := time.Hour
	for range 3 { // another process may occupy the cores for a while
		begun = time.Now()
		again := read(cache)
		least = min(least, time.Since(begun))
		if !reflect.DeepEqual(fresh, again) {
			t.Fatal("the rows differ")
		}
	}
	if t.Logf("read again in %v", least); least > time.Second {
		t.Errorf("reading %d rows again takes %v", fresh.Main.Rows, least)
	}
}

// A cache folder that cannot be created is not an error.
func TestRowCacheWithoutFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if data := readTiny(t, runtest.Config(t), file); data.Main.Rows == 0 {
		t.Error("no rows")
	}
}

// Entries on users' disks hold the rows that this version makes from the same input.
func TestRowsMagic(t *testing.T) {
	const want = "bfpo tokenised rows 8\n0ea69e3847e81e75"
	sum := sha256.New()
	stages := cacheStages(t)
	for _, name := range slices.Sorted(maps.Keys(stages)) {
		for _, set := range readTiny(t, stages[name], t.TempDir()).NonEmpty() {
			fmt.Fprintf(sum, "%+v", packSet(set))
		}
	}
	if got := fmt.Sprintf("%s%x", rowsMagic, sum.Sum(nil)[:8]); got != want {
		t.Errorf("the rows, or their form on disk, have changed: raise the number in rowsMagic if it is unchanged, "+
			"and replace %q by %q here", want, got)
	}
}

func FuzzUnpackSet(f *testing.F) {
	pair := batch.Pair{
		ID: "a#0", Chosen: batch.Sequence{IDs: []int32{1, 300}, PromptLength: 1},
		Rejected: batch.Sequence{IDs: []int32{1}, PromptLength: 1}, ChosenSafe: true,
	}
	document := batch.Document{ID: "b", IDs: []int32{5, 6, 7}, Starts: []int{0, 2}}
	counts := []datasets.SetCount{{Name: "a", Split: "train", Rows: 1, Used: 1}}
	summary := SetSummary{Drops: []Drop{{Reason: "long", Rows: 2}}}
	f.Add(must(packSet(Set{Pairs: []batch.Pair{pair}, Counts: counts}).bytes()))
	f.Add(must(packSet(Set{Documents: []batch.Document{document}, SetSummary: summary}).bytes()))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s, again Set
		var err error
		fuzztest.Bounded(t, len(data), 10*time.Second, func() {
			if s, err = unpackSet(data); err == nil {
				again, err = unpackSet(must(packSet(s).bytes()))
			}
		})
		if err != nil && s.Pairs == nil && s.Documents == nil {
			return
		}
		if diff := cmp.Diff(s, again, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("packed and unpacked: %v (-before +after)\n%s", err, diff)
		}
	})
}
