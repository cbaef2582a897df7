package recipe

import (
	"fmt"
	"path/filepath"

	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// checkTrust refuses what a recipe file must not choose, since it may come from someone else: native code to load, a
// service that gets answers and a key, and a folder elsewhere whose run is replaced. A flag that repeats the value
// allows it: flags come last, so that the value is then the flag's. Built-in recipes are trusted.
func (c *Config) checkTrust() (problems []error) {
	if c.untrusted["platform"] && LooksLikePath(c.Platform) {
		problems = append(problems, fmt.Errorf("%s: platform: a recipe file may not load native code; "+
			"if you trust %s, repeat it as a flag: -platform=%s", c.Origin("platform"), usage.Word(c.Platform), c.Platform))
	}
	for key, judge := range map[string]string{"eval_judge": c.EvalJudge, "redteam_judge": c.RedteamJudge} {
		if c.untrusted[key] && isService(judge) && judge != "none" {
			problems = append(problems, refuseService(c.Origin(key), key, judge, key))
		}
	}
	if c.untrusted["overwrite_output_dir"] && c.OverwriteOutputDir &&
		c.untrusted["output_dir"] && !filepath.IsLocal(filepath.FromSlash(c.OutputDir)) {
		problems = append(problems, fmt.Errorf("%s: overwrite_output_dir: a recipe file may not replace a run outside "+
			"the working directory; if you trust output_dir: %s, repeat it as a flag: -out=%s",
			c.Origin("overwrite_output_dir"), usage.Word(c.OutputDir), c.OutputDir))
	}
	return problems
}

// refuseService returns the error about a judge that a recipe file names; a flag that sets the key flag allows it.
func refuseService(origin, key, judge, flag string) error {
	return fmt.Errorf("%s: %s: a recipe file may not choose a service that gets answers and an API key; "+
		"if you trust %s, repeat it as a flag: -set=%s=%s", origin, key, usage.Word(judge), flag, judge)
}

// repeats reports whether a flag sets eval_judge to the judge of an eval stage.
func repeats(flags []entry, judge string) bool {
	var repeated string
	e, ok := lastEntry("eval_judge", flags)
	return ok && decodeString(e.value, &repeated) == nil && repeated == judge
}
