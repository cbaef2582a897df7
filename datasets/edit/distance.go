// Package edit measures how far apart two spellings are, for error messages that suggest the right one.
package edit

// Distance counts the bytes to insert, delete or replace to turn a into b (Levenshtein's distance).
func Distance(a, b string) int {
	row := make([]int, len(b)+1) // distances of a's beginning from all beginnings of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// Nearest returns the known name that the fewest one-letter edits turn name into, or "" where none is near.
func Nearest(name string, known []string) string {
	best, least := "", max(2, len(name)/3)+1
	if len(name) <= 3 { // two edits turn a short word into almost any other
		least = 2
	}
	for _, k := range known {
		if d := Distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}
