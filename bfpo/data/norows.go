package data

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets"
)

// explainNoRows says why no row of the named set is left to use. counts has one element for each dataset of the mixer.
func explainNoRows(set string, mixer recipe.Mixer, counts []datasets.SetCount, drops datasets.Drops) error {
	total := 0
	var names, shares []string
	for i, c := range counts {
		total += c.Rows
		names = append(names, c.Name)
		if c.Rows > 0 && c.Used == 0 {
			shares = append(shares, fmt.Sprintf("fraction %v of %d rows is less than one row", mixer[i].Fraction, c.Rows))
		}
	}
	if total == 0 {
		return fmt.Errorf("%s holds no rows", strings.Join(names, ", "))
	}
	text := describeCounts(counts) + describeDrops(drops)
	if len(shares) > 0 {
		key := "dataset_mixer"
		if set == bufferSet {
			key = "buffer_dataset_mixer"
		}
		text += fmt.Sprintf(": %s; raise it in %s", strings.Join(shares, ", "), key)
	}
	for _, c := range counts {
		for _, note := range c.Notes {
			text += "; " + note
		}
	}
	if len(drops.Dropped[datasets.DropTooLong]) > 0 {
		text += "; raise max_length, or lower max_prompt_length"
	}
	return fmt.Errorf("no row is left to use from %s", text)
}

// describeCounts lists how many rows were taken from each dataset.
func describeCounts(counts []datasets.SetCount) string {
	var names []string
	for _, c := range counts {
		names = append(names, fmt.Sprintf("%s (split %q: %d of %d rows taken)", c.Name, c.Split, c.Used, c.Rows))
	}
	return strings.Join(names, ", ")
}

// describeDrops lists the reasons for which rows were dropped or shortened, each with the number of rows and the ids
// of the first.
func describeDrops(d datasets.Drops) (text string) {
	first := func(ids []string) string {
		if len(ids) > 3 {
			return strings.Join(ids[:3], ", ") + ", …"
		}
		return strings.Join(ids, ", ")
	}
	for _, reason := range slices.Sorted(maps.Keys(d.Dropped)) {
		text += fmt.Sprintf("; %d dropped: %s (%s)", len(d.Dropped[reason]), reason, first(d.Dropped[reason]))
	}
	if len(d.Cut) > 0 {
		text += fmt.Sprintf("; %d shortened (%s)", len(d.Cut), first(d.Cut))
	}
	return text
}
