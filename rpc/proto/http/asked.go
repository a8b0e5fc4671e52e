package http

// asked has the numbers of our own requests in their order, for servers that answer
// in order and without a number.
type asked struct {
	numbers  []int32
	numbered bool // the peer numbers its answers, or answers nothing at all
}

// mostAsked is how many requests are remembered for a peer that answers none of them.
// One that is sent messages alone, which only its kind leaves without an answer, never
// shows that it would number them.
const mostAsked = 4096

func (a *asked) add(number int32) {
	if a.numbered {
		return
	}
	if a.numbers = append(a.numbers, number); len(a.numbers) > mostAsked {
		a.numbers, a.numbered = nil, true
	}
}

// next gives the number of the oldest request; 0 if there is none.
func (a *asked) next() (number int32) {
	if len(a.numbers) > 0 {
		number, a.numbers = a.numbers[0], a.numbers[1:]
	}
	return number
}

// stop is for a peer that numbers its answers.
func (a *asked) stop() { a.numbers, a.numbered = nil, true }
