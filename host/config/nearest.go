package config

import "strings"

// nearest gives the name that was probably meant by word: the one with the fewest
// typing errors between them, the first of several, or "" if none comes near.
func nearest(word string, names []string) string {
	best, fewest := "", allowed(word)+1
	for _, name := range names {
		if name != word && strings.EqualFold(name, word) {
			return name
		}
		if abs(len(name)-len(word)) >= fewest || name == word {
			continue
		}
		if n := typos(word, name); n < fewest && n < len(name) {
			best, fewest = name, n
		}
	}
	if best == "" {
		return beginning(word, names)
	}
	return best
}

// beginning gives the name that word begins with, or that begins with word: warn
// for warning.
func beginning(word string, names []string) string {
	for _, name := range names {
		short, long := word, name
		if len(short) > len(long) {
			short, long = long, short
		}
		if name != word && len(short) > 3 && strings.HasPrefix(long, short) {
			return name
		}
	}
	return ""
}

// allowed is how many errors a word of this length may have.
func allowed(word string) int {
	switch n := len(word); {
	case n < 4:
		return 1
	case n < 8:
		return 2
	}
	return 3
}

func abs(n int) int { return max(n, -n) }

// typos counts the letters that are missing, too many, wrong, or swapped with
// their neighbour (the optimal string alignment distance).
func typos(a, b string) int {
	var before []int // the row before the last one
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}

// longestOffer is how long a suggestion may be, in bytes.
const longestOffer = 200

// printable gives a suggestion back, or "" if it is too long for a line or has
// something in it that cannot be read there: part of it is what somebody wrote.
func printable(offer string) string {
	if len(offer) > longestOffer || readable(offer) != offer {
		return ""
	}
	return offer
}
