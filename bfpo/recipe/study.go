package recipe

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bfpo-go/bfpo/bfpo/fields"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// Study is what bfpo study trains and measures: every setting with every seed. In a recipe it is the mapping study,
// whose other keys are those of a stage eval that are about pairs and prompts.
type Study struct {
	Settings  []StudySetting // one for each element of settings and each combination of values of grid
	Seeds     []int64
	Eval      EvalStage // dataset_mixer, prompts, …
	MaxTokens int       `yaml:"max_tokens"` // of an answer to a prompt
}

// StudySetting is one way to train.
type StudySetting struct {
	Name   string            // such as BFPO or BFPO,beta=0.1; fit for the name of a folder
	Given  map[string]string // the keys that distinguish it from other settings, with their values as YAML
	Config Config            // of the training stage, still without the seed
}

// ForSeed returns the configuration of a setting with one seed, which orders the rows of all passes.
func (s StudySetting) ForSeed(seed int64) Config {
	c := s.Config
	c.Seed, c.DataSeed = seed, seed
	return c
}

// StudyKeys lists the keys of the mapping study that a stage eval does not have.
func StudyKeys() []fields.Field {
	return []fields.Field{
		{Name: "settings", Type: "list", Comment: "mappings, each with a name and keys of the recipe; the first is " +
			"compared with the others"},
		{Name: "grid", Type: "mapping", Comment: "keys of the recipe to lists of values: each setting is trained with " +
			"every combination"},
		{Name: "seeds", Type: "list", Comment: "each setting is trained once with each, as seed and data_seed; none: the " +
			"recipe's seed"},
		{Name: "max_tokens", Type: "int", Default: strconv.Itoa(defaultStudy().MaxTokens), Comment: "of an answer to a " +
			"prompt"},
	}
}

func defaultStudy() Study { return Study{MaxTokens: 96} }

// maxSeeds bounds the seeds of a study.
const maxSeeds = 1000

// LoadStudy is Load for a recipe of bfpo study. The recipe's other keys are shared by all settings.
func LoadStudy(recipes fs.FS, name string, sets []string, typed ...Flag) (Config, Study, error) {
	l := loader{recipes}
	file, flags, err := l.entries(name, sets, typed)
	if err != nil {
		return Config{}, Study{}, err
	}
	shared, sharedFlags := without("study", file), without("study", flags)
	c, err := l.resolve(shared, sharedFlags)
	if err != nil {
		return Config{}, Study{}, err
	}
	e, ok := lastEntry("study", file, flags)
	if !ok || isNull(e.value) {
		return Config{}, Study{}, usage.Errorf("recipe %s: no key study: want a mapping with the settings to compare, such "+
			"as study: {settings: [{name: BFPO, objective: bfpo}, {name: DPO, objective: dpo}], "+
			"dataset_mixer: {held-out.jsonl: 1.0}}", name)
	}
	if other, ok := lastEntry("stages", file, flags); ok && !isNull(other.value) {
		return Config{}, Study{}, usage.Errorf("%s: stages: bfpo study trains one preference stage for each setting; "+
			"train other stages before, and name their model in model_name_or_path", other.origin())
	}
	r := studyReader{loader: l, shared: shared, flags: sharedFlags, study: defaultStudy()}
	if err := r.read(e); err != nil {
		return Config{}, Study{}, err
	}
	for _, key := range []string{"seed", "data_seed"} {
		if len(r.study.Seeds) > 0 && c.Origin(key) != "" {
			return Config{}, Study{}, c.UsageErrorf(key, "the seeds of a study are its seeds: leave one of the two out")
		}
	}
	if len(r.study.Seeds) == 0 {
		r.study.Seeds = []int64{c.Seed}
	}
	return c, r.study, c.validate()
}

// studyReader reads the mapping study.
type studyReader struct {
	loader
	shared, flags []entry // of the recipe, without the mapping
	study         Study
	grid          []entry // the keys of the mapping grid, whose values are lists
}

// read reads all keys of the mapping.
func (r *studyReader) read(e entry) error {
	e.value = dealias(e.value)
	entries, err := splitMapping(e.value, e)
	if err != nil {
		return err
	}
	eval := e
	eval.value = &yaml.Node{Kind: yaml.MappingNode, Line: e.value.Line}
	var settings entry
	for i, key := range entries {
		switch {
		case isNull(key.value):
		case key.key == "settings":
			settings = key
		case key.key == "grid":
			err = errors.Join(err, r.readGrid(key))
		case key.key == "seeds":
			err = errors.Join(err, r.readSeeds(key))
		case key.key == "max_tokens":
			err = errors.Join(err, r.readMaxTokens(key))
		case slices.Contains([]string{"tasks", "include", "data", "limit", "apply_chat_template", "judge"}, key.key):
			err = errors.Join(err, usage.Errorf("%s: study: %s: a study measures pairs and answers; evaluate its models on "+
				"tasks with bfpo eval", key.origin(), key.key))
		default:
			eval.value.Content = append(eval.value.Content, e.value.Content[2*i], e.value.Content[2*i+1])
		}
	}
	if err != nil {
		return err
	}
	stage, err := evalStage(eval, r.flags)
	if err != nil {
		return err
	}
	if r.study.Eval = stage.Eval; len(stage.Eval.DatasetMixer) == 0 {
		return usage.Errorf("%s: study: want a dataset_mixer of held-out pairs", e.origin())
	}
	if settings.value == nil {
		return usage.Errorf("%s: study: want settings, a list such as [{name: BFPO, objective: bfpo}, {name: DPO, "+
			"objective: dpo}]", e.origin())
	}
	return r.readSettings(settings)
}

// readMaxTokens reads the key max_tokens.
func (r *studyReader) readMaxTokens(e entry) error {
	f, _ := fieldOf(&r.study, e.key)
	err := f.decode(e.value)
	if err == nil && r.study.MaxTokens < 1 {
		err = fmt.Errorf("must be 1 or more, got %d", r.study.MaxTokens)
	}
	if err != nil {
		return usage.Errorf("%s: study: max_tokens: %w", e.origin(), err)
	}
	return nil
}

// readSeeds reads the key seeds.
func (r *studyReader) readSeeds(e entry) error {
	if e.value.Kind != yaml.SequenceNode || len(e.value.Content) == 0 {
		return usage.Errorf("%s: study: seeds: want a list such as [1, 2, 3], got %s", e.origin(), describeList(e.value))
	}
	if n := len(e.value.Content); n > maxSeeds {
		return usage.Errorf("%s: study: seeds: there are %d, more than %d", e.origin(), n, maxSeeds)
	}
	for _, n := range e.value.Content {
		var seed int64
		if err := decodeInt(dealias(n), &seed); err != nil {
			return usage.Errorf("%s: study: seeds: %w", e.originOf(n), err)
		}
		if seed < 0 {
			return usage.Errorf("%s: study: seeds: must be 0 or more, got %d", e.originOf(n), seed)
		}
		if slices.Contains(r.study.Seeds, seed) {
			return usage.Errorf("%s: study: seeds: %d is there twice", e.originOf(n), seed)
		}
		r.study.Seeds = append(r.study.Seeds, seed)
	}
	return nil
}

// gridValue matches the values of a grid, which become a part of folder names.
var gridValue = regexp.MustCompile(`^[A-Za-z0-9_.+-]{1,40}$`)

// readGrid reads the mapping grid.
func (r *studyReader) readGrid(e entry) (err error) {
	if r.grid, err = splitMapping(e.value, e); err != nil {
		return err
	}
	for _, key := range r.grid {
		if key.value.Kind != yaml.SequenceNode || len(key.value.Content) == 0 {
			return usage.Errorf("%s: study: grid: %s: want a list of values, got %s", key.origin(), usage.Word(key.key),
				describeList(key.value))
		}
		for _, n := range key.value.Content {
			if n = dealias(n); n.Kind != yaml.ScalarNode || !gridValue.MatchString(n.Value) {
				return usage.Errorf("%s: study: grid: %s: want numbers or words, got %s; name other values in settings",
					key.originOf(n), usage.Word(key.key), describeNode(n))
			}
		}
	}
	return nil
}

// settingName matches the names of settings, which are names of folders too.
var settingName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.+-]{0,39}$`)

// readSettings reads the list settings and combines each with the grid.
func (r *studyReader) readSettings(list entry) error {
	if list.value.Kind != yaml.SequenceNode || len(list.value.Content) == 0 {
		return usage.Errorf("%s: study: settings: want a list of mappings, got %s", list.origin(), describeList(list.value))
	}
	for _, item := range list.value.Content {
		e := list
		e.value, e.line = dealias(item), item.Line
		keys, err := splitMapping(e.value, e)
		if err != nil {
			return err
		}
		var name string
		named, ok := lastEntry("name", keys)
		if !ok || decodeString(named.value, &name) != nil || !settingName.MatchString(name) {
			return usage.Errorf("%s: study: settings: each needs a name of letters, digits, '_', '.', '+' and '-', at most "+
				"40 of them", e.origin())
		}
		if strings.EqualFold(name, "before") {
			return usage.Errorf("%s: study: settings: %s is the name of the model before training", e.origin(), name)
		}
		if err := r.combine(e, name, without("name", keys), r.grid); err != nil {
			return err
		}
	}
	return nil
}

// combine adds a setting with every combination of the values of grid. e is the setting's entry.
func (r *studyReader) combine(e entry, name string, keys, grid []entry) error {
	if len(grid) == 0 {
		return r.add(e, name, keys)
	}
	for _, n := range grid[0].value.Content {
		key := grid[0]
		key.value = dealias(n)
		full := fmt.Sprintf("%s,%s=%s", name, key.key, key.value.Value)
		err := r.combine(e, full, append(slices.Clone(keys), key), grid[1:])
		if err != nil {
			return err
		}
	}
	return nil
}

// describeList is describeNode for a value that should be a list with elements.
func describeList(n *yaml.Node) string {
	if n.Kind == yaml.SequenceNode {
		return "an empty list"
	}
	return describeNode(n)
}

// maxSettings bounds the settings of a study: a grid multiplies quickly.
const maxSettings = 1000

// add adds one setting, which has the entry e and its own keys.
func (r *studyReader) add(e entry, name string, keys []entry) error {
	same := func(s StudySetting) bool { return strings.EqualFold(s.Name, name) }
	if slices.ContainsFunc(r.study.Settings, same) {
		return usage.Errorf("%s: study: two settings have the name %s", e.origin(), name)
	}
	if len(r.study.Settings) == maxSettings {
		return usage.Errorf("%s: study: there are more than %d settings", e.origin(), maxSettings)
	}
	keys, err := withOurNames(keys)
	if err != nil {
		return err
	}
	for _, key := range []string{"seed", "data_seed", "output_dir", "overwrite_output_dir", "resume_from_checkpoint",
		"model_name_or_path", "model_revision", "chat_template", "chat_template_date", "eos_token", "torch_dtype",
		"platform", "devices", "stages"} {
		if e, ok := lastEntry(key, keys); ok {
			return usage.Errorf("%s: %s: all settings of a study share it: seeds lists the seeds, and the other keys stand "+
				"beside study", e.origin(), key)
		}
	}
	for _, own := range keys {
		if flag, ok := lastEntry(own.key, r.flags); ok {
			return usage.Errorf("%s: study: setting %s has its own %s (%s), which a flag would override", flag.origin(), name,
				own.key, own.origin())
		}
	}
	c, err := r.resolve(r.shared, keys, r.flags)
	if err == nil {
		c, err = c.ForStage("train")
	}
	if err != nil {
		return fmt.Errorf("study: setting %s: %w", name, err)
	}
	given := map[string]string{}
	for _, e := range keys {
		text, err := yaml.Marshal(e.value)
		if err != nil {
			return err
		}
		given[e.key] = inline(string(text))
	}
	r.study.Settings = append(r.study.Settings, StudySetting{Name: name, Given: given, Config: c})
	return nil
}
