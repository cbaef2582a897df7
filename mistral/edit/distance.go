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
