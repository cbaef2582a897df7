package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBanner(t *testing.T) {
	var out bytes.Buffer
	memory := Memory{Parts: []MemoryPart{{"weights", 1 << 20}}, Peak: 3 << 20, Available: 1 << 30, Devices: 2}
	if err := WriteBanner(&out, "stage 1", []Fact{{"model", "tiny"}, {"memory", memory.String()}}); err != nil {
		t.Fatal(err)
	}
	want := "\n── stage 1 " + strings.Repeat("─", 61) + "\n   model   tiny\n" +
		"   memory  3.00 MiB on each of 2 devices of 1.00 GiB\n           weights 1.00 MiB\n\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
