namespace go record

// Record has the fields of record.proto.
struct Record {
  1: optional string text1
  2: optional i32 answer
  3: optional string text2
  4: optional string text3
  5: optional string text4
  6: optional string text5
  7: optional string text6
  8: optional string text7
  9: optional i32 number1
  10: optional i32 number2
  11: optional i32 number3
  12: optional i32 number4
  13: optional i32 number5
  14: optional i32 number6
  15: optional i32 number7
  16: optional i32 number8
  17: optional i32 number9
  18: optional i32 number10
  19: optional i32 number11
  20: optional i32 number12
  21: optional i32 number13
  22: optional i32 number14
  23: optional i32 number15
  24: optional i32 number16
  25: optional i32 number17
  26: optional i32 number18
  27: optional i32 number19
  28: optional i32 number20
  29: optional i32 number21
  30: optional i64 tag
  31: optional bool flag1
  32: optional bool flag2
  33: optional bool flag3
  34: optional bool flag4
  35: optional bool flag5
  36: optional bool flag6
  37: optional bool flag7
  38: optional bool flag8
  39: optional bool flag9
  40: optional bool flag10
  41: optional bool flag11
  42: optional bool flag12
  43: optional bool flag13
}

// Blob has those of Blob there.
struct Blob {
  1: optional binary data
  2: optional i32 answer
}

service Echo {
  Record Record(1: Record m)
  Blob Blob(1: Blob m)
}
