"""The frame names of ID3: those of v2.2 and what they became, and all that are known today."""

ID3_22 = {
    b"BUF": "RBUF", b"CNT": "PCNT", b"COM": "COMM", b"CRA": "AENC", b"EQU": "EQUA",
    b"ETC": "ETCO", b"GEO": "GEOB", b"IPL": "IPLS", b"MCI": "MCDI", b"MLL": "MLLT",
    b"PIC": "APIC", b"POP": "POPM", b"REV": "RVRB", b"RVA": "RVAD", b"SLT": "SYLT",
    b"STC": "SYTC", b"TAL": "TALB", b"TBP": "TBPM", b"TCM": "TCOM", b"TCO": "TCON",
    b"TCP": "TCMP", b"TCR": "TCOP", b"TDA": "TDAT", b"TDY": "TDLY", b"TEN": "TENC",
    b"TFT": "TFLT", b"TIM": "TIME", b"TKE": "TKEY", b"TLA": "TLAN", b"TLE": "TLEN",
    b"TMT": "TMED", b"TOA": "TOPE", b"TOF": "TOFN", b"TOL": "TOLY", b"TOR": "TORY",
    b"TOT": "TOAL", b"TP1": "TPE1", b"TP2": "TPE2", b"TP3": "TPE3", b"TP4": "TPE4",
    b"TPA": "TPOS", b"TPB": "TPUB", b"TRC": "TSRC", b"TRD": "TRDA", b"TRK": "TRCK",
    b"TS2": "TSO2", b"TSA": "TSOA", b"TSC": "TSOC", b"TSI": "TSIZ", b"TSP": "TSOP",
    b"TSS": "TSSE", b"TST": "TSOT", b"TT1": "TIT1", b"TT2": "TIT2", b"TT3": "TIT3",
    b"TXT": "TEXT", b"TXX": "TXXX", b"TYE": "TYER", b"UFI": "UFID", b"ULT": "USLT",
    b"WAF": "WOAF", b"WAR": "WOAR", b"WAS": "WOAS", b"WCM": "WCOM", b"WCP": "WCOP",
    b"WPB": "WPUB", b"WXX": "WXXX", b"GP1": "GRP1", b"MVN": "MVNM", b"MVI": "MVIN",
    b"PCS": "PCST", b"WFD": "WFED", b"TCT": "TCAT", b"TDS": "TDES", b"TID": "TGID",
    b"TKW": "TKWD", b"TDR": "TDRL",
}  # fmt: skip
"""LNK and CRM are left out: they hold frame names of three letters, or frames, inside."""

_TEXTS = (
    "COMM USLT TALB TBPM TCAT TCMP TCOM TCON TCOP TDAT TDEN TDES TDLY TDOR TDRC TDRL TDTG TENC "
    "TEXT TFLT TGID TIME TIPL TIT1 TIT2 TIT3 TKEY TKWD TLAN TLEN TMCL TMED TMOO TOAL TOFN TOLY "
    "TOPE TORY TOWN TPE1 TPE2 TPE3 TPE4 TPOS TPRO TPUB TRCK TRDA TRSN TRSO TSIZ TSO2 TSOA TSOC "
    "TSOP TSOT TSRC TSSE TSST TXXX TYER"
)
_OTHERS = (
    "AENC APIC ASPI CHAP COMR CTOC ENCR EQU2 EQUA ETCO GEOB GRID GRP1 LINK MCDI MLLT MVIN MVNM "
    "OWNE PCNT PCST POPM POSS PRIV RBUF RVA2 RVAD RVRB SEEK SIGN SYLT SYTC UFID USER WCOM WCOP "
    "WFED WOAF WOAR WOAS WORS WPAY WPUB WXXX"
)

TEXT_IDS = frozenset(name.encode() for name in _TEXTS.split())
"""Frames that are text, and nothing else, in v2.3 and v2.4."""

FRAME_IDS = {name.encode(): name for name in (*_TEXTS.split(), *_OTHERS.split())}
"""Known frames of v2.3 and v2.4 by their bytes; whoever is not among them is looked at closely."""
