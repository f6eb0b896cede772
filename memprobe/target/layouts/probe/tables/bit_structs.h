/* The other structs whose bits are wanted. */
FutureObj FutureObj;
TaskObj TaskObj;
fileio fileio;
