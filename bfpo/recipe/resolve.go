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

// resolve lays groups of entries over the defaults, later over earlier. The last group is that of the -set flags; the file that
// other_data_config names comes after the group that names it, and always before the flags.
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

func (l loader) readOther(e entry) ([]entry, error) {
	var name string
	if err := decodeString(e.value, &name); err != nil {
		return nil, usage.Errorf("%s: other_data_config: %w", e.at(e.value), err)
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
		return nil, usage.Errorf("%s: other_data_config: a second file cannot name a third", nested.place())
	}
	return other, nil
}

// apply sets the fields that the entries name and gathers all that is wrong with them.
func (c *Config) apply(entries []entry) error {
	c.places = map[string]string{}
	var problems []error
	var inert []entry // the deciding entries of keys without a field
	for _, e := range entries {
		_, known := inertKeys[e.key]
		switch f, ok := fieldOf(c, e.key); {
		case e.key == "stages":
		case ok:
			if err := c.set(f, e); err != nil {
				problems = append(problems, err)
			}
		case known || e.key == "model_revision":
			inert = append(without(e.key, inert), e)
		default:
			problems = append(problems, fmt.Errorf("%s: %s: unknown key%s", e.place(), e.key, usage.DidYouMean(e.key, recipeKeys())))
		}
	}
	problems = append(problems, c.settle(inert)...)
	if len(problems) > 0 {
		return &usage.Error{Err: errors.Join(problems...)}
	}
	return nil
}

// set gives one field its value; null gives it its default back.
func (c *Config) set(f field, e entry) error {
	c.places[e.key] = e.place()
	if isNull(e.value) {
		defaults := Default()
		f0, _ := fieldOf(&defaults, e.key)
		f.value.Set(f0.value)
		delete(c.places, e.key)
		return nil
	}
	if err := f.decode(e.value); err != nil {
		place := e.place()
		if bad, ok := errors.AsType[*valueError](err); ok {
			place = e.at(bad.node)
		}
		return fmt.Errorf("%s: %s: %w", place, e.key, err)
	}
	if err := e.dir.localNames(&f, &c.Notices); err != nil {
		return fmt.Errorf("%s: %s: %w", e.place(), e.key, err)
	}
	return nil
}

// settle fills in what one key says about another, and sorts the keys without a field into ignored and not built.
func (c *Config) settle(inert []entry) (problems []error) {
	for _, e := range inert {
		switch {
		case e.key == "model_revision":
			if err := c.setRevision(e); err != nil {
				problems = append(problems, err)
			}
		case !harmless(e.key, e.value):
			problems = append(problems, fmt.Errorf("%s: %s: %s is not supported yet (-set=%s=null turns it off)", e.place(), e.key,
				describeNode(e.value), e.key))
		default:
			c.Ignored = append(c.Ignored, e.key)
		}
	}
	kept, ignored, unknown := reportTo(c.ReportTo)
	if unknown != "" {
		problems = append(problems, fmt.Errorf("%s: report_to: %q is unknown%s", c.Place("report_to"), unknown,
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
	return problems
}

// settleMesh lets the sizes of a mesh say how many devices there are to be, where devices does not.
func (c *Config) settleMesh() []error {
	given := c.Devices
	if c.Place("devices") == "" {
		given = 0
	} else if given < 1 { // refused by validate
		return nil
	}
	mesh, err := device.ParseMesh(c.Mesh, given, config.Sharding())
	if err != nil {
		return []error{c.KeyErrorf("mesh", "%v", err)}
	}
	c.Devices = mesh.Devices()
	return nil
}

// settleObjective lets loss_type, TRL's name of the loss, choose the objective where no key of our own does.
func (c *Config) settleObjective() []error {
	objectives := map[string]string{"bfpo": "bfpo", "sigmoid": "dpo", "ipo": "ipo"}
	objective, known := objectives[c.LossType]
	if !known { // none given, or one that validate refuses
		return nil
	}
	if c.Place("objective") == "" {
		c.Objective = objective
	}
	if c.Objective != objective {
		return []error{fmt.Errorf("%s: loss_type: %s contradicts objective: %s (%s)", c.Place("loss_type"), c.LossType, c.Objective,
			c.Place("objective"))}
	}
	return nil
}

// setRevision joins a revision to the hub id it belongs to. For a local model it means nothing.
func (c *Config) setRevision(e entry) error {
	revision := "main"
	if !isNull(e.value) {
		if err := decodeString(e.value, &revision); err != nil {
			return fmt.Errorf("%s: model_revision: %w", e.at(e.value), err)
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
