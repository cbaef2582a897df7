package train

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/rundir"
)

// TestTemplateDateOfRun checks that a run keeps the date that its template writes, and that a run that is continued on
// another day has the rows of the day on which it began.
func TestTemplateDateOfRun(t *testing.T) {
	o := newOrigin(t)
	var rows strings.Builder
	for i := range 6 {
		fmt.Fprintf(&rows, `{"prompt": [{"role": "user", "content": "Question %d?"}], `+
			`"chosen": [{"role": "assistant", "content": "Yes."}], "rejected": [{"role": "assistant", "content": "No."}]}`+
			"\n", i)
	}
	writeText(t, o.rows, rows.String())
	const plain = `{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}{% endfor %}` +
		`{% if add_generation_prompt %}<|assistant|>{% endif %}`
	template := filepath.Join(o.model, "chat_template.jinja")
	writeText(t, template, `{{ strftime_now('%d %b %Y') }}`+plain)
	begin := func(sets ...string) string {
		t.Helper()
		if _, _, err := o.train(t, append(sets, "overwrite_output_dir=true")); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"checkpoints/step-2", "model", rundir.TrainResults} {
			if err := os.RemoveAll(filepath.Join(o.out, name)); err != nil {
				t.Fatal(err)
			}
		}
		date, err := TemplateDate(o.out)
		if err != nil {
			t.Fatal(err)
		}
		return date
	}
	before := time.Now().Format(time.DateOnly)
	if date := begin(); date < before || date > time.Now().Format(time.DateOnly) {
		t.Errorf("without a date the run keeps %q", date)
	}
	if date := begin("chat_template_date=2026-01-02"); date != "2026-01-02" {
		t.Errorf("the run keeps %q", date)
	}
	_, _, err := o.train(t, []string{"resume_from_checkpoint=true", "chat_template_date=2026-01-03"})
	if err == nil || !strings.Contains(err.Error(), "chat_template_date") {
		t.Errorf("another date: %v", err)
	}
	_, out, err := o.train(t, []string{"resume_from_checkpoint=true"})
	if err != nil || !strings.Contains(out, "continuing after step 1") {
		t.Errorf("on another day: %v\n%s", err, out)
	}
	if date, err := TemplateDate(o.out); err != nil || date != "2026-01-02" {
		t.Errorf("the continued run keeps %q, %v", date, err)
	}
	writeText(t, template, plain)
	if date := begin(); date != "" {
		t.Errorf("a run whose template writes no date keeps %q", date)
	}
}
