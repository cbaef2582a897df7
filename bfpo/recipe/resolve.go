package recipe

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// resolve applies groups of entries to the defaults, later ones over earlier ones. The last group holds the -set
// flags. The file that other_data_config names comes after the group that names it, but always before the flags.
func (l loader) resolve(groups ...[]entry) (Config, error) {
	for i := len(groups) - 1; i >= 0; i-- {
		e, ok := lastEntry("other_data_config", groups[i])
		if !ok {
			continue
		}
		if isNull(e.value) {
			break
		}
		other, err := l.readOther(e)
		if err != nil {
			return Config{}, err
		}
		groups = slices.Insert(slices.Clone(groups), min(i+1, len(groups)-1), other)
		break
	}
	c := Default()
	if err := c.apply(without("other_data_config", slices.Concat(groups...))); err != nil {
		return Config{}, err
	}
	return c, nil
}

// readOther reads the recipe that the entry e of other_data_config names.
func (l loader) readOther(e entry) ([]entry, error) {
	var name string
	if err := decodeString(e.value, &name); err != nil {
		return nil, usage.Errorf("%s: other_data_config: %w", e.originOf(e.value), err)
	}
	if e.file != "" && !e.dir.builtin {
		if path, _, err := e.dir.localName(name); err == nil {
			name = path
		}
	}
	other, err := l.read(name, folder{})
	if err != nil {
		return nil, err
	}
	if nested, ok := lastEntry("other_data_config", other); ok && !isNull(nested.value) {
		return nil, usage.Errorf("%s: other_data_config: a second file cannot name a third", nested.origin())
	}
	return other, nil
}

// apply sets the fields that the entries name. Its error joins all problems.
func (c *Config) apply(entries []entry) error {
	c.origins, c.untrusted = map[string]string{}, map[string]bool{}
	var problems []error
	var inert []entry // the last entry of each key without a field
	for _, e := range entries {
		if len(problems) >= usage.MaxProblems {
			problems = append(problems, unlisted(e))
			break
		}
		_, known := inertKeys[e.key]
		switch f, ok := fieldOf(c, e.key); {
		case e.key == "stages":
		case e.key == "gate" || e.key == "study":
			problems = append(problems, fmt.Errorf("%s: %s: only `bfpo %[2]s` reads this key", e.origin(), e.key))
		case ok:
			if err := c.set(f, e); err != nil {
				problems = append(problems, err)
			}
		case known && !strings.Contains(e.key, ".") || slices.Contains(partKeys, e.key):
			inert = append(without(e.key, inert), e)
		default:
			problems = append(problems, fmt.Errorf("%s: %s: unknown key%s", e.origin(), usage.Word(e.key), suggestKey(e.key)))
		}
	}
	problems = append(problems, c.settle(inert)...)
	if len(problems) > 0 {
		return &usage.Error{Err: errors.Join(problems...)}
	}
	return nil
}

// set sets one field to the entry's value; null restores the default.
func (c *Config) set(f field, e entry) error {
	c.origins[e.key], c.untrusted[e.key] = e.origin(), !e.isTrusted()
	if isNull(e.value) {
		defaults := Default()
		f0, _ := fieldOf(&defaults, e.key)
		f.value.Set(f0.value)
		delete(c.origins, e.key)
		delete(c.untrusted, e.key)
		return nil
	}
	if err := f.decode(e.value); err != nil {
		origin := e.origin()
		if bad, ok := errors.AsType[*valueError](err); ok {
			origin = e.originOf(bad.node)
		}
		return fmt.Errorf("%s: %s: %w", origin, e.name(), err)
	}
	err := e.dir.resolveNames(&f, &c.Notices)
	if err == nil && e.key == "chat_template" {
		c.ChatTemplate, err = e.dir.readTemplate(c.ChatTemplate)
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", e.origin(), e.name(), err)
	}
	return nil
}

// setCPU chooses the CPU for a recipe that excludes GPUs.
func (c *Config) setCPU(e entry) error {
	switch c.Platform {
	case "auto":
		c.Platform = device.PlatformCPU
	case device.PlatformCUDA:
		return fmt.Errorf("%s: %s: true contradicts platform: cuda", e.origin(), e.name())
	}
	return nil
}

// settle sets the values that follow from other keys, and handles the keys without a field: it ignores them or
// reports them as not supported.
func (c *Config) settle(inert []entry) (problems []error) {
	for _, e := range inert {
		var err error
		switch {
		case e.key == "model_revision":
			err = c.setRevision(e)
		case slices.Contains(partKeys, e.key):
			err = c.setSplit(e)
		case (e.key == "use_cpu" || e.key == "no_cuda") && dealias(e.value).Value == "true":
			err = c.setCPU(e)
		case !isHarmless(e.key, c.TextFormat, e.value):
			err = c.refuseInert(e)
		default:
			c.Ignored = append(c.Ignored, e.key)
		}
		if err != nil {
			problems = append(problems, err)
		}
	}
	if c.TextField != "" && c.Objective != "sft" && len(c.Stages) == 0 {
		c.Ignored = append(c.Ignored, "dataset_text_field")
	}
	kept, ignored, unknown := splitReportTo(c.ReportTo)
	if unknown != "" {
		problems = append(problems, fmt.Errorf("%s: report_to: %q is unknown%s", c.Origin("report_to"), unknown,
			usage.DidYouMean(unknown, append(otherTrackers, "tensorboard", "none"))))
	}
	c.ReportTo = kept
	for _, name := range ignored {
		c.Ignored = append(c.Ignored, "report_to: "+name)
	}
	if c.EvaluationStrategy != "no" {
		c.DoEval = true
	}
	if c.EvalSteps == 0 {
		c.EvalSteps = c.LoggingSteps
	}
	problems = append(problems, c.settleMesh()...)
	problems = append(problems, c.settleObjective()...)
	return append(problems, c.checkTrust()...)
}

// refuseInert returns the error about a key whose value asks for something that bfpo does not do.
func (c *Config) refuseInert(e entry) error {
	allowed := harmlessValues(e.key, c.TextFormat)
	advice := insteadOf[e.key]
	if advice == "" && len(allowed) > 0 && !slices.Contains(allowed, "false") && !slices.Contains(allowed, "0") {
		advice = fmt.Sprintf("bfpo does what %s: %s asks for", e.key, usage.OneOf(allowed))
		if _, differs := seedValues[e.key]; differs {
			advice = fmt.Sprintf("text_format: %s has %s: %s", c.TextFormat, e.key, usage.OneOf(allowed))
		}
	}
	if advice != "" {
		advice = ": " + advice
	}
	return fmt.Errorf("%s: %s: %s is not supported yet%s (-set=%s=null turns it off)",
		e.origin(), e.name(), describeNode(e.value), advice, e.key)
}

// setSplit sets one of dataset_splits from TRL's keys dataset_train_split and dataset_test_split.
func (c *Config) setSplit(e entry) error {
	if isNull(e.value) {
		return nil
	}
	kind := strings.TrimSuffix(strings.TrimPrefix(e.key, "dataset_"), "_split") // train or test
	var name string
	if err := decodeString(e.value, &name); err != nil {
		return fmt.Errorf("%s: %s: %w", e.originOf(e.value), e.key, err)
	}
	switch {
	case c.Origin("dataset_splits") != "":
		return fmt.Errorf("%s: %s: dataset_splits names the splits already (%s)", e.origin(), e.key,
			c.Origin("dataset_splits"))
	case !strings.Contains(name, kind):
		return fmt.Errorf("%s: %s: a split for this has %q in its name, unlike %s; "+
			"name its files in dataset_mixer or eval_dataset_mixer instead", e.origin(), e.key, kind, usage.Word(name))
	}
	splits := slices.Clone(c.DatasetSplits)
	splits[slices.Index([]string{"train", "test"}, kind)] = name
	c.DatasetSplits = splits
	return nil
}

// settleMesh parses the mesh and, if devices is not given, sets it to the product of the mesh's sizes.
func (c *Config) settleMesh() []error {
	given := c.Devices
	if c.Origin("devices") == "" {
		given = 0
	} else if given < 1 { // validate refuses it
		return nil
	}
	mesh, err := device.ParseMesh(c.Mesh, given, config.ShardingRules())
	if err != nil {
		return []error{c.UsageErrorf("mesh", "%v", err)}
	}
	c.Devices = mesh.Devices()
	return nil
}

// setRevision appends model_revision to the model's hub id. For a local model the key is ignored.
func (c *Config) setRevision(e entry) error {
	revision := "main"
	if !isNull(e.value) {
		if err := decodeString(e.value, &revision); err != nil {
			return fmt.Errorf("%s: model_revision: %w", e.originOf(e.value), err)
		}
	}
	hub := c.Model != "" && !LooksLikePath(c.Model) && !strings.Contains(c.Model, "@")
	switch {
	case revision != "main" && hub:
		c.Model += "@" + revision
	case revision != "main":
		c.Ignored = append(c.Ignored, "model_revision")
	}
	return nil
}
