package netrpc

// Record has the fields of the protobuf message, without pointers.
type Record struct {
	Text1, Text2, Text3, Text4, Text5, Text6, Text7                       string
	Answer                                                                int32
	Number1, Number2, Number3, Number4, Number5, Number6, Number7         int32
	Number8, Number9, Number10, Number11, Number12, Number13, Number14    int32
	Number15, Number16, Number17, Number18, Number19, Number20, Number21  int32
	Tag                                                                   int64
	Flag1, Flag2, Flag3, Flag4, Flag5, Flag6, Flag7, Flag8, Flag9, Flag10 bool
	Flag11, Flag12, Flag13                                                bool
}

// Blob is data and an answer.
type Blob struct {
	Data   []byte
	Answer int32
}
